from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monai_consingan.errors import ConSinGANError
from monai_consingan.workflows.augmentation import AugmentSettings, TwinSettings, augment, free_twins, keep, merge
from monai_consingan.workflows.review.decisions import FORMAT

Tree = Callable[..., dict[str, str]]


@pytest.fixture
def out(augmented: tuple[Path, dict[str, Any]], tmp_path: Path) -> Path:
    return Path(shutil.copytree(augmented[0], tmp_path / "out"))


def content_of(page: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(page.read_text(encoding="utf-8").split('id="content">')[1].split("</script>")[0])
    return found


def decided(out: Path, verdicts: dict[str, str]) -> Path:
    path = out.parent / "decisions.json"
    run = content_of(out / "review.html")["run"]
    path.write_text(json.dumps({"format": FORMAT, "run": run, "decisions": verdicts}))
    return path


def listed(out: Path) -> set[str]:
    entries = json.loads((out / "datalist.json").read_text(encoding="utf-8"))["training"]
    return {Path(entry["image"]).name.split(".")[0] for entry in entries if entry.get("synthetic")}


def test_the_page_shows_every_lesion(out: Path) -> None:
    entries = content_of(out / "review.html")["entries"]
    told = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((out / "images").glob("*.json"))]
    assert [(e["case"], e["lesion"]) for e in entries] == [
        (t["name"], n["instance"]) for t in told for n in t["lesions"]
    ]
    cards = {card for entry in entries for card in entry["cards"].values()}
    assert cards == {path.relative_to(out).as_posix() for path in (out / "review").iterdir()}
    assert entries[0]["numbers"]["seam"] == told[0]["lesions"][0]["seam"]


def test_what_is_rejected_leaves_the_lists_and_nothing_else(out: Path, tree: Tree) -> None:
    entries, before, names = content_of(out / "review.html")["entries"], tree(out), listed(out)
    verdicts = {entry["key"]: "accept" for entry in entries}
    rejected = entries[0]
    kept = keep(out, decided(out, {**verdicts, rejected["key"]: "reject"}))
    assert kept["left_out"] == [rejected["case"]] and kept["rejected_lesions"] == [rejected["key"]]
    assert listed(out) == names - {rejected["case"]}
    assert rejected["case"] not in (out / "manifest.csv").read_text(encoding="utf-8")
    assert not any(rejected["case"] in path.read_text(encoding="utf-8") for path in out.glob("datalist*.json"))
    assert json.loads((out / "summary.json").read_text(encoding="utf-8"))["rejected"] == 1
    after = tree(out)
    lists = {"datalist.json", "manifest.csv", "summary.json", "kept.json", *(p.name for p in out.glob("datalist-*"))}
    assert {name for name in before if after.get(name) != before[name]} <= lists
    assert merge(out)["rejected"] == 1  # as long as kept.json is there
    (out / "kept.json").unlink()
    merge(out)
    assert tree(out) == before


def test_what_was_not_decided(out: Path) -> None:
    entries, names = content_of(out / "review.html")["entries"], listed(out)
    first, *rest = [entry["key"] for entry in entries]
    path = decided(out, {first: "unsure"})
    with pytest.raises(ConSinGANError, match=f"say nothing of {len(rest)} of {len(entries)} lesions"):
        keep(out, path)
    assert not (out / "kept.json").exists()
    assert keep(out, path, rest="keep")["left_out"] == [entries[0]["case"]]
    keep(out, path, rest="keep", unsure="keep")
    assert listed(out) == names
    keep(out, path, rest="drop")
    assert listed(out) == set()


def test_a_rejected_twin(data_set: Path, tmp_path: Path) -> None:
    pair = {key: str(data_set.parent / f"{key}0.nii.gz") for key in ("image", "label")}
    (tmp_path / "list.json").write_text(json.dumps({"training": [pair]}), encoding="utf-8")
    out = tmp_path / "out"
    free_twins(tmp_path / "list.json", out, TwinSettings(method="fill", most_contrast=5, most_seam=9))
    first, *others = [entry["key"] for entry in content_of(out / "review.html")["entries"]]
    path = decided(out, {first: "reject", **dict.fromkeys(others, "accept")})
    assert listed(out) == {"image0_free"}
    assert keep(out, path)["left_out"] == ["image0_free"]
    assert listed(out) == set() and (out / "images" / "image0_free.nii.gz").is_file()


def test_lists_of_nnunet_leave_it_out_too(data_set: Path, quick: AugmentSettings, tmp_path: Path) -> None:
    raw, out = tmp_path / "raw", tmp_path / "out"
    for folder, name, ending in (("imagesTr", "image", "_0000"), ("labelsTr", "label", "")):
        (raw / folder).mkdir(parents=True)
        for number in (0, 1):
            shutil.copy(data_set.parent / f"{name}{number}.nii.gz", raw / folder / f"case{number}{ending}.nii.gz")
    head = {"channel_names": {"0": "T1c"}, "labels": {"background": 0, "tumour": 1}, "file_ending": ".nii.gz"}
    (raw / "dataset.json").write_text(json.dumps(head))
    (raw / "splits_final.json").write_text(
        json.dumps([{"train": ["case0"], "val": ["case1"]}, {"train": ["case1"], "val": ["case0"]}])
    )
    augment(raw, out, quick)

    def named() -> list[str]:
        dataset, splits = (json.loads((out / f"{name}.json").read_text()) for name in ("dataset", "splits_final"))
        assert dataset["numTraining"] == len(dataset["dataset"])
        assert {name for split in splits for name in split["train"]} <= set(dataset["dataset"])
        return [name for name in dataset["dataset"] if "syn" in name]

    entries, made = content_of(out / "review.html")["entries"], named()
    path = decided(out, {entry["key"]: "reject" if entry["case"] == made[0] else "accept" for entry in entries})
    keep(out, path)
    assert named() == made[1:]


def test_decisions_of_another_run_and_damaged_notes(out: Path) -> None:
    path = decided(out, {})
    path.write_text(path.read_text(encoding="utf-8").replace('"run": "', '"run": "0'))
    with pytest.raises(ConSinGANError, match="are of another run"):
        keep(out, path, rest="keep")
    with pytest.raises(ConSinGANError, match="unsure is 'maybe'"):
        keep(out, path, unsure="maybe")
    (out / "kept.json").write_text('{"left_out": 3}')
    with pytest.raises(ConSinGANError, match=r"kept\.json names no scans: delete it"):
        merge(out)
    with pytest.raises(ConSinGANError, match="is of no augmentation"):
        keep(out.parent, path)
