const FORMAT = "monai-consingan answers 1";
const kept = new Kept(`monai-consingan-reading-${content.reading}`, find("unkept"));
const CHOICES = [
  ["1", "real", 3, "Real, sure"], ["2", "real", 2, "Real, probably"], ["3", "real", 1, "Real, a guess"],
  ["4", "synthetic", 1, "Synthetic, a guess"], ["5", "synthetic", 2, "Synthetic, probably"],
  ["6", "synthetic", 3, "Synthetic, sure"],
];
const cases = content.cases;
const answers = {}, seconds = {};
let place = 0, since = performance.now();

/* Add to the time that a case was looked at, whether or not it was answered then. */
function passTime() {
  const { name } = cases[place], now = performance.now();
  seconds[name] = (seconds[name] || 0) + (now - since) / 1000;
  since = now;
}

function show(to) {
  passTime();
  place = Math.min(cases.length - 1, Math.max(0, to));
  const entry = cases[place], given = answers[entry.name];
  find("what").textContent = `Case ${place + 1} of ${cases.length}`;
  pictures.show([entry.picture]);
  find("picture").setAttribute("aria-label", find("what").textContent);
  if (place + 1 < cases.length) new Image().src = address(cases[place + 1].picture);
  [...find("answers").children].forEach((button, number) => {
    const [, answer, confidence] = CHOICES[number];
    button.setAttribute("aria-pressed", String(Boolean(given) && given.answer === answer && given.confidence === confidence));
  });
  const done = Object.keys(answers).length;
  find("bar").max = cases.length;
  find("bar").value = done;
  find("count").textContent = `${done} of ${cases.length} answered`;
  find("said").textContent = `${find("what").textContent}, ${given ? given.answer : "not answered"}`;
}

function reply([, answer, confidence]) {
  const { name } = cases[place];
  passTime();
  answers[name] = { answer, confidence, seconds: Math.round(10 * seconds[name]) / 10 };
  kept.write(name, answers[name]);
  show(place + 1);
}

function save() {
  download("answers.json", { format: FORMAT, reading: content.reading, answers });
  find("said").textContent = "answers.json saved";
}

const pictures = new Pictures(find("picture"), find("missing"), [find("shown")]);
const commands = {
  j: () => show(place + 1), k: () => show(place - 1), ArrowRight: () => show(place + 1), ArrowLeft: () => show(place - 1),
  w: () => pictures.reset(), s: save,
};
for (const choice of CHOICES) {
  commands[choice[0]] = () => reply(choice);
  const button = make("button", `${choice[3]} `);
  button.append(make("kbd", choice[0]));
  button.addEventListener("click", commands[choice[0]]);
  find("answers").append(button);
}
for (const [id, key] of Object.entries({ save: "s", next: "j", previous: "k", window: "w" })) {
  find(id).addEventListener("click", commands[key]);
}
followKeys(commands, ["j", "k", "ArrowRight", "ArrowLeft"]);

find("question").textContent = content.question;
find("title").textContent = content.title;
find("sequences").replaceChildren(...(content.sequences.length > 1 ? content.sequences.map((name) => make("span", name)) : []));
function resume() { // at the first case without an answer
  for (const { name } of cases) {
    const found = kept.read(name);
    if (found) [answers[name], seconds[name]] = [found, found.seconds];
  }
  show(Math.max(0, cases.findIndex((entry) => !answers[entry.name])));
}

kept.follow(resume);
resume();
