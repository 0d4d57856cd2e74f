"use strict";

const find = (id) => document.getElementById(id);
const content = JSON.parse(find("content").textContent);

/* A name may hold anything: it is text, never markup, and each of its parts is escaped in an address. */
const address = (path) => path.split("/").map(encodeURIComponent).join("/");

function make(tag, text, className) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}

/* Pictures that lie over each other, and the brightness and contrast of the grey ones, changed by dragging or by keys. */
class Pictures {
  constructor(picture, missing, greys, lines = []) {
    const images = [...greys, ...lines];
    [this.images, this.greys] = [images, greys];
    this.reset();
    const arrived = () => { // shown once all are there, so that none is judged by those of the one before
      picture.classList.toggle("loading", !images.every((image) => image.complete));
      missing.hidden = !images.some((image) => image.complete && !image.naturalWidth);
      if (images[0].naturalWidth) picture.style.setProperty("--shape", images[0].naturalWidth / images[0].naturalHeight);
    };
    for (const image of images) for (const end of ["load", "error"]) image.addEventListener(end, arrived);
    this.arrived = arrived;
    let from = null;
    picture.addEventListener("pointerdown", (event) => {
      from = [event.clientX, event.clientY, this.contrast, this.brightness];
      picture.setPointerCapture(event.pointerId);
      event.preventDefault();
      picture.focus();
    });
    picture.addEventListener("pointermove", (event) => {
      if (from === null) return;
      this.set(from[2] * 2 ** ((event.clientX - from[0]) / 150), from[3] * 2 ** ((from[1] - event.clientY) / 150));
    });
    for (const end of ["pointerup", "pointercancel"]) picture.addEventListener(end, () => { from = null; });
  }

  show(paths) {
    this.images.forEach((image, place) => { image.src = address(paths[place]); });
    this.arrived();
  }

  set(contrast, brightness) {
    this.contrast = Math.min(16, Math.max(0.1, contrast));
    this.brightness = Math.min(16, Math.max(0.1, brightness));
    for (const image of this.greys) image.style.filter = `brightness(${this.brightness}) contrast(${this.contrast})`;
  }

  reset() { this.set(1, 1); }
}

function download(name, values) {
  const link = make("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(values, null, 1) + "\n"], { type: "application/json" }));
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

/* What is kept in the browser: a value for each name, so that two windows of a page never undo what was done in the
   other. A browser that keeps nothing does no harm; the page then says so, and asks before it is closed. */
class Kept {
  constructor(start, warning) {
    this.start = `${start}/`;
    this.warning = warning;
    window.addEventListener("beforeunload", (event) => { if (!warning.hidden) event.preventDefault(); });
  }

  read(name) { try { return JSON.parse(localStorage.getItem(this.start + name)); } catch { return null; } }

  write(name, value) {
    try {
      if (value === undefined) localStorage.removeItem(this.start + name);
      else localStorage.setItem(this.start + name, JSON.stringify(value));
    } catch { this.warning.hidden = false; }
  }

  /* Act on the names of which another window of this page wrote; on null after all was deleted. */
  follow(act) {
    window.addEventListener("storage", (event) => {
      if (event.key === null) act(null);
      else if (event.key.startsWith(this.start)) act(event.key.slice(this.start.length));
    });
  }
}

/* What a key types; where that is no Latin letter or digit (Greek, Cyrillic, digits of French keyboards), what stands at
   its place on others. */
const PLACES = { BracketLeft: "[", BracketRight: "]" };
function typed(event) {
  const place = PLACES[event.code] || (/^(Key|Digit)(.)$/.exec(event.code) || [])[2];
  if (place && (event.key > "\x7f" && event.key.length === 1 || /\d/.test(place))) return place.toLowerCase();
  return event.key.length === 1 ? event.key.toLowerCase() : event.key;
}

/* Whether a key is meant for the page, and not for a field that is typed into, or a slider that arrows move. */
const isCommand = (event) => !event.ctrlKey && !event.metaKey && !event.altKey
  && !event.target.matches("select, textarea, input:not([type=range])")
  && !(event.target.type === "range" && event.key.startsWith("Arrow"));

/* Call the command of each key. One that is held down is called once, but for those of `again`, such as steps. */
function followKeys(commands, again) {
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { // out of a field, so that keys decide again; it does not empty a search
      event.preventDefault();
      find("picture").focus();
    }
    if (event.repeat && event.target.matches("button")) event.preventDefault(); // a held Enter presses it once
    const key = typed(event);
    if (!isCommand(event) || !commands[key]) return;
    event.preventDefault();
    if (!event.repeat || again.includes(key)) commands[key]();
  });
}
