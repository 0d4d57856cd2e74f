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

/* Brightness and contrast of pictures, changed by dragging over them or by keys. */
class GreyWindow {
  constructor(picture, images) {
    this.images = images;
    this.reset();
    let from = null;
    images[0].addEventListener("load", () => {
      picture.style.setProperty("--shape", images[0].naturalWidth / images[0].naturalHeight);
    });
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

  set(contrast, brightness) {
    this.contrast = Math.min(16, Math.max(0.1, contrast));
    this.brightness = Math.min(16, Math.max(0.1, brightness));
    for (const image of this.images) image.style.filter = `brightness(${this.brightness}) contrast(${this.contrast})`;
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

/* What is kept in the browser under a name; a browser that keeps nothing does no harm. */
const kept = {
  read(name) { try { return JSON.parse(localStorage.getItem(name)); } catch { return null; } },
  write(name, values) { try { localStorage.setItem(name, JSON.stringify(values)); return true; } catch { return false; } },
  /* What another window of this page wrote, so that neither undoes what was done in the other. */
  follow(name, act) { window.addEventListener("storage", (event) => { if (event.key === name) act(); }); },
};

/* Whether a key is meant for the page, and not for a field that is typed into, or a slider that arrows move. */
const isCommand = (event) => !event.ctrlKey && !event.metaKey && !event.altKey
  && !event.target.matches("select, textarea, input:not([type=range])")
  && !(event.target.type === "range" && event.key.startsWith("Arrow"));
