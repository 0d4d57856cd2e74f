const FORMAT = "monai-consingan decisions 1";
const SIGNS = { accept: "✓", reject: "✗", unsure: "?" };
const WORDS = { accept: "accepted", reject: "rejected", unsure: "unsure" };
const ENDS = { made: ["Donor", "new lesion"] }; /* between what the pictures of a kind are, if not before and after */
const kept = new Kept(`monai-consingan-review-${content.run}`, find("unkept"));
const entries = content.entries;
const byKey = new Map(entries.map((entry) => [entry.key, entry]));
const measures = [...new Set(entries.flatMap((entry) => Object.keys(entry.numbers)))];

const state = {
  verdicts: {}, history: [], order: [], current: null, before: false, lines: true, sort: null, descending: false,
};
const rows = new Map();

/* A verdict as it was kept, or none. */
function restore(key) {
  const verdict = kept.read(key);
  if (SIGNS[verdict]) state.verdicts[key] = verdict;
  else delete state.verdicts[key];
}

function say(text) { find("said").textContent = text; }

/* The names of measures are those of reports; people read words. */
const words = (name) => name.replaceAll("_", " ");

function number(value) {
  if (value === null || value === undefined) return "–";
  return Number.isInteger(value) ? String(value) : value.toPrecision(3);
}

/* ---- the list ---- */

const columns = [
  ["lesion", (entry) => entry.key], ["verdict", (entry) => state.verdicts[entry.key] || ""],
  ...measures.map((name) => [name, (entry) => entry.numbers[name]]),
  ["host", (entry) => entry.host], ["donor", (entry) => entry.donor],
  ["warnings", (entry) => entry.warnings.length],
];

function makeHeads() {
  columns.forEach(([name], place) => {
    const head = make("th");
    head.scope = "col";
    const button = make("button", words(name));
    button.addEventListener("click", () => sortBy(place));
    head.append(button);
    find("heads").append(head);
  });
  for (const name of measures) {
    const option = make("option", words(name));
    option.value = name;
    find("measure").append(option);
  }
}

function makeRow(entry) {
  const row = make("tr");
  row.tabIndex = -1;
  row.setAttribute("aria-selected", "false");
  row.dataset.key = entry.key;
  for (const [name, value] of columns) {
    const shown = value(entry);
    row.append(make("td", name === "verdict" ? "" : typeof shown === "string" ? shown : number(shown)));
  }
  row.addEventListener("click", () => choose(entry.key));
  rows.set(entry.key, row);
  showVerdict(entry.key);
  return row;
}

function showVerdict(key) {
  const verdict = state.verdicts[key], cell = rows.get(key).children[1];
  cell.textContent = verdict ? `${SIGNS[verdict]} ${WORDS[verdict]}` : "";
  cell.className = verdict ? `verdict-${verdict}` : "";
  if (key !== state.current) return;
  for (const name of Object.keys(SIGNS)) find(name).setAttribute("aria-pressed", String(name === verdict));
}

function sortBy(place) {
  state.descending = state.sort === place && !state.descending;
  state.sort = place;
  [...find("heads").children].forEach((head, other) => {
    head.setAttribute("aria-sort", other !== place ? "none" : state.descending ? "descending" : "ascending");
  });
  list();
}

function compared(first, second) {
  const missing = (value) => value === null || value === undefined;
  if (missing(first) || missing(second)) return missing(first) - missing(second);
  const way = state.descending ? -1 : 1;
  if (typeof first === "string") return way * first.localeCompare(second, undefined, { numeric: true });
  return way * (first - second);
}

function isShown(entry) {
  const show = find("show").value, verdict = state.verdicts[entry.key];
  if (show === "open" && verdict) return false;
  if (SIGNS[show] && verdict !== show) return false;
  if (show === "warned" && !entry.warnings.length) return false;
  const part = find("name").value.toLowerCase();
  if (part && !`${entry.key} ${entry.host} ${entry.donor}`.toLowerCase().includes(part)) return false;
  const value = entry.numbers[find("measure").value];
  const low = find("from").value, high = find("to").value;
  if (low !== "" && !(value !== null && value >= Number(low))) return false;
  if (high !== "" && !(value !== null && value <= Number(high))) return false;
  return true;
}

function list() {
  const shown = entries.filter(isShown);
  if (state.sort !== null) {
    const value = columns[state.sort][1];
    shown.sort((first, second) => compared(value(first), value(second)));
  }
  state.order = shown.map((entry) => entry.key);
  find("rows").replaceChildren(...shown.map((entry) => rows.get(entry.key)));
  find("none").hidden = shown.length > 0;
}

/* ---- one lesion ---- */

/* Scroll the list up or down to a row, and not to the side, where somebody may be reading. */
function reveal(row) {
  if (!row.isConnected) return; // filters hide it
  const list = row.closest(".list"), seen = list.getBoundingClientRect(), place = row.getBoundingClientRect();
  const top = seen.top + find("heads").getBoundingClientRect().height;
  if (place.top < top) list.scrollTop -= top - place.top;
  else if (place.bottom > seen.bottom) list.scrollTop += place.bottom - seen.bottom;
}

/* Show a lesion; `before` is said first, as only the last of what is said at once is heard. */
function choose(key, before = "") {
  const entry = byKey.get(key);
  if (state.current) rows.get(state.current).setAttribute("aria-selected", "false");
  state.current = key;
  const row = rows.get(key);
  row.setAttribute("aria-selected", "true");
  reveal(row);
  find("what").textContent = `${entry.case}, lesion ${entry.lesion}, ${entry.kind}`;
  find("sequences").replaceChildren(...(entry.sequences.length > 1 ? entry.sequences.map((name) => make("span", name)) : []));
  pictures.show(["before", "after", "outline"].map((name) => entry.cards[name]));
  state.before = false;
  find("mix").value = 100;
  draw();
  const facts = [["host", entry.host || "none"], ["donor", entry.donor || "none"]];
  for (const name of measures) if (name in entry.numbers) facts.push([words(name), number(entry.numbers[name])]);
  find("facts").replaceChildren(...facts.flatMap(([name, value]) => [make("dt", name), make("dd", value)]));
  find("warnings").replaceChildren(...entry.warnings.map((text) => make("li", text)));
  const around = state.order.indexOf(key);
  for (const step of [1, -1]) { // so that the neighbours are there when they are asked for
    const next = byKey.get(state.order[around + step]);
    if (next) new Image().src = address(next.cards.after);
  }
  showVerdict(key);
  const verdict = state.verdicts[key], where = around < 0 ? "not in the list" : `${around + 1} of ${state.order.length}`;
  say(`${before}${find("what").textContent}, ${verdict ? WORDS[verdict] : "not decided"}, ${where}`);
}

function draw() {
  const entry = byKey.get(state.current);
  if (!entry) return;
  const share = Number(find("mix").value) / 100;
  const [first, last] = ENDS[entry.kind] || ["Before", "after"];
  const name = state.before ? first.toLowerCase() : last;
  document.querySelectorAll(".first").forEach((element) => { element.textContent = first; });
  find("last").textContent = last;
  find("mix").setAttribute("aria-label", `from ${first.toLowerCase()} to ${last}`);
  find("shown").style.opacity = state.before ? 0 : share;
  const lines = state.lines && !(state.before && ENDS[entry.kind]); // the donor has another outline
  find("outline").style.visibility = lines ? "visible" : "hidden";
  find("flip").setAttribute("aria-pressed", String(state.before));
  find("lines").setAttribute("aria-pressed", String(state.lines));
  find("state").textContent = share < 1 && !state.before ? `Between ${first.toLowerCase()} and ${last}.`
    : `${name[0].toUpperCase()}${name.slice(1)}.`;
  find("picture").setAttribute("aria-label",
    `${find("what").textContent}, ${name}, outline ${lines ? "on" : "off"}`);
}

function step(by) {
  if (!state.order.length) return;
  const place = state.order.indexOf(state.current);
  choose(state.order[Math.min(state.order.length - 1, Math.max(0, place < 0 ? 0 : place + by))]);
}

/* ---- decisions ---- */

/* Give lesions their verdicts, pairs of key and verdict; returns those that they had. */
function put(pairs) {
  const before = pairs.map(([key]) => [key, state.verdicts[key]]);
  for (const [key, verdict] of pairs) {
    if (verdict) state.verdicts[key] = verdict;
    else delete state.verdicts[key];
    kept.write(key, verdict);
    showVerdict(key);
  }
  count();
  return before;
}

function decide(verdict) {
  const key = state.current;
  if (!key) return;
  state.history.push(put([[key, verdict]]));
  const place = state.order.indexOf(key);
  let following = state.order[place + 1];
  if (place >= 0 && !isShown(byKey.get(key))) { // one row less, and not the whole list anew
    state.order.splice(place, 1);
    rows.get(key).remove();
    find("none").hidden = state.order.length > 0;
    following = following || state.order[0];
  }
  if (following) choose(following, `${key} ${WORDS[verdict]}. `);
  else say(`${key} ${WORDS[verdict]}, the last of the list`);
}

function undo() {
  const last = state.history.pop();
  if (!last) { say("nothing to undo"); return; }
  put(last);
  list();
  choose(last[0][0], "undone. ");
}

function count() {
  const done = Object.keys(state.verdicts).length;
  const each = Object.keys(WORDS).map((verdict) =>
    `${Object.values(state.verdicts).filter((other) => other === verdict).length} ${WORDS[verdict]}`);
  find("bar").max = Math.max(1, entries.length);
  find("bar").value = done;
  find("count").textContent = `${done} of ${entries.length} decided: ${each.join(", ")}`;
}

function save() {
  download("decisions.json", { format: FORMAT, run: content.run, decisions: state.verdicts });
  say("decisions.json saved");
}

async function load(file) {
  let found;
  try { found = JSON.parse(await file.text()); } catch { found = null; }
  if (!found || found.format !== FORMAT || found.run !== content.run || typeof found.decisions !== "object") {
    find("count").textContent = "This file holds no decisions on this run.";
    say(find("count").textContent);
    return;
  }
  const pairs = Object.entries(found.decisions || {}).filter(([key, verdict]) => byKey.has(key) && SIGNS[verdict]);
  if (pairs.length) state.history.push(put(pairs));
  list();
  choose(state.current);
  say(`${pairs.length} decisions loaded`);
}

/* ---- start ---- */

const pictures = new Pictures(find("picture"), find("missing"), [find("under"), find("shown")], [find("outline")]);
const commands = {
  a: () => decide("accept"), r: () => decide("reject"), u: () => decide("unsure"), z: undo, s: save,
  j: () => step(1), k: () => step(-1), ArrowDown: () => step(1), ArrowUp: () => step(-1),
  b: () => { state.before = !state.before; draw(); }, o: () => { state.lines = !state.lines; draw(); },
  w: () => pictures.reset(),
  "+": () => pictures.set(pictures.contrast * 1.2, pictures.brightness),
  "-": () => pictures.set(pictures.contrast / 1.2, pictures.brightness),
  "]": () => pictures.set(pictures.contrast, pictures.brightness * 1.2),
  "[": () => pictures.set(pictures.contrast, pictures.brightness / 1.2),
};

followKeys(commands, ["j", "k", "ArrowDown", "ArrowUp", "+", "-", "]", "["]);
for (const [id, key] of Object.entries({
  accept: "a", reject: "r", unsure: "u", undo: "z", save: "s", next: "j", previous: "k", flip: "b", lines: "o", window: "w",
})) find(id).addEventListener("click", commands[key]);
find("mix").addEventListener("input", () => { state.before = false; draw(); });
find("load").addEventListener("click", () => find("file").click());
find("file").addEventListener("change", () => {
  if (find("file").files[0]) load(find("file").files[0]);
  find("file").value = "";
});
for (const id of ["show", "name", "measure", "from", "to"]) find(id).addEventListener("input", list);

find("title").textContent = content.title;
for (const key of byKey.keys()) restore(key);
makeHeads();
for (const entry of entries) makeRow(entry);
list();
count();
kept.follow((name) => {
  for (const key of name === null ? byKey.keys() : [name]) {
    if (!byKey.has(key)) continue;
    restore(key);
    showVerdict(key);
  }
  list();
  count();
});
if (state.order.length) choose(state.order.find((key) => !state.verdicts[key]) || state.order[0]);
