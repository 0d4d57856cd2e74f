"""The page in a real browser, without a window and without a network."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from monai.data import MetaTensor
from PIL import Image

from monai_consingan.figures import ReportSection, write_html_report
from monai_consingan.figures.lesion_card import save_cards
from monai_consingan.workflows.review import MADE, ReviewEntry, write_review
from monai_consingan.workflows.review.decisions import FORMAT
from monai_consingan.workflows.review.page import fill_page

RUN = "run-1"
MADE_ENTRY = ReviewEntry("ring", 1, MADE, donor="scan, lesion 1", sequences=("t1", "flair"), numbers={"seam": 1.0})

CONTRASTS = """() => {
  const channels = (colour) => colour.match(/[0-9.]+/g).map(Number);
  const light = (colour) => channels(colour).slice(0, 3).map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const found = channels(getComputedStyle(at).backgroundColor);
      if (found.length === 3 || found[3] > 0) return getComputedStyle(at).backgroundColor;
    }
    return "rgb(255, 255, 255)";
  };
  const texts = [...document.body.querySelectorAll("*")].filter((one) => one.tagName !== "SCRIPT"
    && [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()) && one.offsetParent);
  const contrasts = texts.map((one) => [light(getComputedStyle(one).color), light(ground(one))].sort((a, b) => b - a))
    .map(([high, low]) => (high + 0.05) / (low + 0.05));
  return { texts: texts.length, least: Math.min(...contrasts), ground: light(ground(document.body)) };
}"""
"""How many texts a page shows, the least contrast of one to its ground, and how light the page is."""

pytestmark = pytest.mark.xdist_group("browser")


def volume() -> MetaTensor:
    values = np.random.default_rng(0).normal(100, 5, (2, 40, 44, 36)).astype(np.float32)
    return MetaTensor(values, affine=np.diag([1.0, 1.0, 1.5, 1.0]), meta={"sequences": ["t1", "flair"]})


def entries() -> list[ReviewEntry]:
    seams = (1.5, 0.5, float("nan"))
    return [
        ReviewEntry(
            f"scan_{n}", 1, "put in", "host<b>&", "donor", ("t1", "flair"), {"seam": seam, "cnr": 3.0 - n},
            ("it is <i>dark</i>",) if n == 1 else (),
        )
        for n, seam in enumerate(seams)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("review")
    before = volume()
    mask = np.zeros((1, *before.shape[1:]), np.uint8)
    mask[0, 15:22, 18:25, 14:19] = 1
    after = before + 80 * mask
    for entry in entries():
        save_cards(folder / "review", entry.case, entry.lesion, before=before, after=after, mask=mask)
    return write_review(folder, RUN, entries(), title="3 lesions to look at")


@pytest.fixture
def page(open_page: Callable[[Path], Any], page_file: Path) -> Iterator[Any]:
    opened = open_page(page_file)
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    opened.reload()
    yield opened
    assert errors == []


def verdicts(page: Any) -> list[str]:
    return [cell.strip() for cell in page.locator("#rows tr td:nth-child(2)").all_inner_texts()]


def current(page: Any) -> str:
    return str(page.locator('#rows tr[aria-selected="true"]').get_attribute("data-key"))


def saved(page: Any, folder: Path) -> Path:
    with page.expect_download() as download:
        page.keyboard.press("s")
    path = folder / str(download.value.suggested_filename)
    download.value.save_as(path)
    return path


def test_cards_show_planes_and_sequences(page_file: Path) -> None:
    start = page_file.parent / "review" / "scan_0_1"
    cards = {name: Image.open(f"{start}_{name}.png") for name in ("before", "after", "outline")}
    assert {card.size for card in cards.values()} == {(3 * 144, 2 * 144)}
    before, after, outline = (np.asarray(card) for card in cards.values())
    inside = np.zeros(before.shape, bool)
    for row in range(2):
        for column in range(3):
            inside[144 * row + 66 : 144 * row + 78, 144 * column + 66 : 144 * column + 78] = True
    assert after[inside].mean() > before[inside].mean() + 20
    assert np.array_equal(after[:40], before[:40])
    assert outline[..., 3].any() and not outline[inside][..., 3].any()


def test_every_key(page: Any, tmp_path: Path) -> None:
    said = page.locator("#said")
    page.keyboard.press("a")
    assert said.inner_text() == "scan_0#1 accepted. scan_1, lesion 1, put in, not decided, 2 of 3"
    page.keyboard.press("r")
    page.keyboard.press("u")
    assert said.inner_text() == "scan_2#1 unsure, the last of the list"
    assert verdicts(page) == ["✓ accepted", "✗ rejected", "? unsure"]
    page.keyboard.press("z")
    assert said.inner_text().startswith("undone. scan_2")
    assert verdicts(page)[2] == "" and current(page) == "scan_2#1"
    page.keyboard.press("k")
    assert current(page) == "scan_1#1"
    page.keyboard.press("j")
    assert current(page) == "scan_2#1"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowDown")
    assert current(page) == "scan_2#1"
    opacity = "document.getElementById('shown').style.opacity"
    assert page.evaluate(opacity) == "1"
    page.keyboard.press("b")
    assert page.evaluate(opacity) == "0"
    assert "before" in page.locator("#picture").get_attribute("aria-label")
    page.keyboard.press("b")
    page.keyboard.press("o")
    assert page.evaluate("document.getElementById('outline').style.visibility") == "hidden"
    look = "document.getElementById('shown').style.filter"
    first = page.evaluate(look)
    for key in ("+", "]"):
        page.keyboard.press(key)
        assert page.evaluate(look) != first
    page.keyboard.press("w")
    assert page.evaluate(look) == first
    content = json.loads(saved(page, tmp_path).read_text(encoding="utf-8"))
    assert content["decisions"] == {"scan_0#1": "accept", "scan_1#1": "reject"}
    assert content["run"] == RUN
    assert "1 rejected" in page.locator("#count").inner_text()


def test_a_new_lesion_is_shown_beside_its_donor(browser: Any, page_file: Path) -> None:
    folder, mask = page_file.parent, np.zeros((1, 40, 44, 36), np.uint8)
    mask[0, 18:22, 20:24, 16:20] = 1
    save_cards(folder / "review", "ring", 1, before=volume(), after=volume(), mask=mask)
    file = folder / "made.html"
    file.write_text(
        fill_page("review", {"run": "2", "title": "t", "entries": [MADE_ENTRY.as_dict()]}), encoding="utf-8"
    )
    page = browser.new_page()
    page.goto(file.as_uri())
    visibility = "document.getElementById('outline').style.visibility"
    assert page.locator("#flip").inner_text().startswith("Donor")
    assert page.locator("#state").inner_text() == "New lesion."
    assert page.evaluate(visibility) == "visible"
    page.keyboard.press("b")
    assert page.locator("#state").inner_text() == "Donor."
    assert "donor, outline off" in page.locator("#picture").get_attribute("aria-label")
    assert page.evaluate(visibility) == "hidden"
    page.locator("#mix").fill("40")
    assert page.locator("#state").inner_text() == "Between donor and new lesion."
    page.close()


def test_the_mouse_changes_the_window_and_the_slider_mixes(page: Any) -> None:
    box = page.locator("#picture").bounding_box()
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 150, box["y"] + 20)
    page.mouse.up()
    style = page.evaluate("document.getElementById('shown').style.filter")
    contrast = float(style.split("contrast(")[1].rstrip(")"))
    assert contrast > 1.2
    page.locator("#mix").fill("40")
    assert page.evaluate("document.getElementById('shown').style.opacity") == "0.4"
    assert page.evaluate("document.getElementById('under').naturalWidth") == 3 * 144


def test_decisions_stay_after_reloading_and_can_be_loaded(page: Any, tmp_path: Path) -> None:
    page.keyboard.press("r")
    path = saved(page, tmp_path)
    page.reload()
    assert verdicts(page) == ["✗ rejected", "", ""]
    assert current(page) == "scan_1#1"
    page.keyboard.press("a")
    page.locator("#file").set_input_files(path)
    page.locator(".verdict-accept").wait_for()
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), "run": "other"}))
    page.locator("#file").set_input_files(path)
    page.get_by_text("no decisions on this run").first.wait_for()
    path.write_text(
        json.dumps({"format": FORMAT, "run": RUN, "decisions": {"scan_0#1": "unsure", "scan_2#1": "accept"}})
    )
    page.locator("#file").set_input_files(path)
    page.get_by_text("3 of 3 decided").wait_for()
    page.locator("#picture").focus()
    page.keyboard.press("z")  # what was loaded is undone as one
    assert verdicts(page) == ["✗ rejected", "✓ accepted", ""]


def test_two_windows_know_of_each_other(page: Any, page_file: Path) -> None:
    other = page.context.new_page()
    other.goto(page_file.as_uri())
    for window, key, told in ((page, "r", "1 rejected"), (other, "a", "1 accepted")):
        window.keyboard.press(key)
        for shown in (page, other):
            shown.get_by_text(told).first.wait_for()
            assert shown.get_by_text(told).count()
        other.keyboard.press("j")


def test_two_windows_never_undo_each_other(page: Any, page_file: Path) -> None:
    other = page.context.new_page()
    other.add_init_script("addEventListener('storage', (event) => event.stopImmediatePropagation())")  # hears too late
    other.goto(page_file.as_uri())
    page.keyboard.press("r")
    other.keyboard.press("j")
    other.keyboard.press("a")
    page.get_by_text("✓ accepted").wait_for()
    for window in (page, other):
        window.reload()
        assert verdicts(window) == ["✗ rejected", "✓ accepted", ""]


def test_keys_of_any_keyboard_and_held_ones(page: Any) -> None:
    for _ in range(3):
        page.keyboard.down("A")  # as with caps lock, and held down
    page.keyboard.up("A")
    assert verdicts(page) == ["✓ accepted", "", ""]
    for key, code in (("к", "KeyR"), ("ü", "BracketLeft"), ("Dead", "KeyA"), (";", "KeyZ")):
        page.evaluate("([key, code]) => document.body.dispatchEvent("
                      "new KeyboardEvent('keydown', {key, code, bubbles: true}))", [key, code])  # fmt: skip
    assert verdicts(page) == ["✓ accepted", "✗ rejected", ""]
    assert "brightness(0.8" in page.evaluate("document.getElementById('shown').style.filter")
    page.keyboard.down("k")
    page.keyboard.down("k")
    assert current(page) == "scan_0#1"
    assert page.locator("#accept").get_attribute("aria-pressed") == "true"


def test_filters_may_hide_what_was_decided(page: Any) -> None:
    page.locator("#show").select_option("open")
    page.keyboard.press("Escape")
    page.keyboard.press("k")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("a")  # the last of the list: what is still open follows
    assert current(page) == "scan_0#1" and verdicts(page) == ["", ""]
    page.locator("#show").select_option("rejected")
    page.locator("#picture").focus()
    page.keyboard.press("z")
    assert page.locator("#none").is_visible()
    assert page.locator("#what").inner_text().startswith("scan_2")
    assert page.locator("#count").inner_text().startswith("0 of 3")


def test_no_lesion_is_shown_with_the_picture_of_another(page: Any, page_file: Path, tmp_path: Path) -> None:
    held: list[Any] = []
    (tmp_path / "review").symlink_to(page_file.parent / "review")  # whose pictures no test before has read
    page.route("**/scan_2_1_*.png", lambda route: held.append(route))
    page.goto(write_review(tmp_path, RUN, entries(), title="t").as_uri())
    hidden = "getComputedStyle(document.getElementById('shown')).visibility"
    page.locator("#shown").wait_for()
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.evaluate(hidden) == "hidden"
    page.keyboard.press("a")  # no key is lost meanwhile
    assert verdicts(page)[2] == "✓ accepted"
    page.wait_for_timeout(100)
    for route in held:
        route.continue_()
    page.locator("#shown").wait_for()
    assert page.locator("#missing").is_hidden()
    (tmp_path / "review").unlink()
    alone = page.context.new_page()
    alone.goto((tmp_path / "review.html").as_uri())
    alone.locator("#missing").wait_for()


def test_a_browser_that_keeps_nothing_says_so(page: Any) -> None:
    page.evaluate("void (Storage.prototype.setItem = () => { throw new Error('full'); })")
    assert page.locator("#unkept").is_hidden()
    page.keyboard.press("a")
    assert page.locator("#unkept").is_visible() and verdicts(page)[0] == "✓ accepted"


def test_sorting_and_filters(page: Any) -> None:
    def shown() -> list[str]:
        return [str(row.get_attribute("data-key")) for row in page.locator("#rows tr").all()]

    head = page.get_by_role("button", name="seam", exact=True)
    head.click()
    assert shown() == ["scan_1#1", "scan_0#1", "scan_2#1"]
    head.click()
    assert shown() == ["scan_0#1", "scan_1#1", "scan_2#1"]
    assert page.locator("th", has=head).get_attribute("aria-sort") == "descending"
    page.locator("#show").select_option("warned")
    assert shown() == ["scan_1#1"]
    page.locator("#show").select_option("all")
    page.locator("#measure").select_option("seam")
    page.locator("#from").fill("1")
    assert shown() == ["scan_0#1"]
    page.locator("#from").fill("")
    page.locator("#name").fill("SCAN_2")
    assert shown() == ["scan_2#1"]
    page.keyboard.press("a")  # which is typed into the field, and is no verdict
    assert verdicts(page) == [] and page.locator("#none").is_visible()


def test_the_keyboard_alone_does_all(page: Any) -> None:
    def reach(element: str) -> None:
        for _ in range(40):
            if page.evaluate("document.activeElement.id") == element:
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"{element} is not reached")

    reach("name")
    page.keyboard.type("scan_1")
    assert page.locator("#rows tr").count() == 1
    page.keyboard.press("Escape")  # which leaves the field as it is
    assert page.evaluate("document.activeElement.id") == "picture"
    assert page.locator("#name").input_value() == "scan_1"
    page.keyboard.press("j")
    page.keyboard.press("r")
    assert verdicts(page) == ["✗ rejected"]
    page.locator("#name").fill("")
    reach("mix")
    page.keyboard.press("ArrowLeft")
    assert page.locator("#mix").input_value() == "99" and current(page) == "scan_1#1"
    page.keyboard.press("j")
    assert current(page) == "scan_2#1"


def test_a_screen_reader_finds_names(page: Any) -> None:
    named = {
        "button": ["Accept a", "Reject r", "Unsure u", "Undo z", "Outline o", "seam"],
        "spinbutton": ["lowest value of the filter", "highest value of the filter"],
        "combobox": ["Show", "Filter"],
        "progressbar": ["lesions decided on"],
        "slider": ["from before to after"],
        "table": ["Lesions"],
        "img": ["scan_0, lesion 1, put in, after, outline on"],
    }
    for role, names in named.items():
        for name in names:
            assert page.get_by_role(role, name=name, exact=True).count() == 1


def test_the_list_scrolls_to_the_lesion_and_never_to_the_side(browser: Any, page_file: Path, tmp_path: Path) -> None:
    (tmp_path / "review").symlink_to(page_file.parent / "review")
    many = [ReviewEntry(f"scan_{n:04d}", 1, "put in", "host" * 20, "donor" * 20) for n in range(100)]
    page = browser.new_page()
    page.goto(write_review(tmp_path, RUN, many, title="many").as_uri())
    page.evaluate("document.querySelector('.list').scrollLeft = 60")
    for _ in range(60):
        page.keyboard.press("j")
    assert page.evaluate("document.querySelector('.list').scrollLeft") == 60

    def inside() -> bool:  # heads stay in sight, and cover no row that is shown
        boxes = (page.locator(name).bounding_box() for name in (".list", "th >> nth=0", 'tr[aria-selected="true"]'))
        around, head, row = (range(round(box["y"]), round(box["y"] + box["height"]) + 1) for box in boxes)
        return around[0] <= head[0] and head[-1] <= row[0] + 1 and row[-1] <= around[-1] + 1

    assert inside()
    for _ in range(60):
        page.keyboard.press("k")
    assert inside()
    page.close()


def test_names_are_text_and_nothing_is_asked_of_a_network(browser: Any, tmp_path: Path) -> None:
    hostile = '</script><img src=x onerror="document.title=1">\'"&#%?/é'
    entry = ReviewEntry(hostile, 1, "put in", hostile, hostile, (hostile, "b"), {hostile: 1.0}, (hostile,))
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(write_review(tmp_path, RUN, [entry], title=hostile).as_uri())
    assert page.title() == hostile.strip()
    assert page.locator("#what").inner_text() == f"{hostile}, lesion 1, put in"
    assert page.locator("#warnings li").inner_text() == hostile
    assert page.locator("img[src=x]").count() == 0
    assert all(url.startswith("file:") for url in asked)
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_light_or_dark_and_can_be_read(browser: Any, page_file: Path, tmp_path: Path, scheme: str) -> None:
    section = ReportSection("Seam", "Text.", [("measure", "value"), ("seam", 1.5)])
    write_html_report(tmp_path / "report.html", title="Report", text="Intro", sections=[section])
    page = browser.new_page(color_scheme=scheme)
    for file in (page_file, tmp_path / "report.html"):
        page.goto(file.as_uri())
        if file is page_file:
            for key in "aru":
                page.keyboard.press(key)
        shown = page.evaluate(CONTRASTS)
        assert (shown["ground"] < 0.1) is (scheme == "dark")
        assert shown["texts"] > 5 and shown["least"] >= 4.5  # WCAG 2.2, level AA
    page.close()


def test_two_thousand_lesions(browser: Any, page_file: Path, tmp_path: Path) -> None:
    (tmp_path / "review").symlink_to(page_file.parent / "review")
    many = [ReviewEntry(f"scan_{n:04d}", 1, "put in", numbers={"seam": float(n % 7)}) for n in range(2000)]
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(write_review(tmp_path, RUN, many, title="many").as_uri())
    assert page.locator("#rows tr").count() == 2000
    assert len(asked) < 20  # pictures come as they are looked at
    for _ in range(50):
        page.keyboard.press("a")
    assert page.locator("#count").inner_text().startswith("50 of 2000 decided")
    context.close()
