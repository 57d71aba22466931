// A person's marks (real, artefact or unsure), stored in the browser by project and exported as CSV.
"use strict";

const VERDICTS = ["real", "artefact", "unsure"];
const MARK_COLUMNS = ["project", "source", "detection", "verdict", "note", "who", "when"];

// Open the marks of a project; without storage they are lost when the page is closed.
function openMarks(project) {
  const place = `vo marks ${project}`;
  let known = {};
  let stored = true;

  function read() {
    try {
      known = JSON.parse(localStorage.getItem(place)) || {};
    } catch {
      stored = false;
    }
  }

  function write() {
    try {
      localStorage.setItem(place, JSON.stringify(known));
    } catch {
      stored = false;
    }
  }

  const key = (source, detection) => JSON.stringify([source, detection]);
  read();
  return {
    get isStored() { return stored; },
    get size() { return Object.keys(known).length; },
    get: (source, detection) => known[key(source, detection)] || null,
    // Another page may have changed the marks, so they are read again before they are written.
    set(source, detection, change) {
      read();
      const mark = { note: "", ...known[key(source, detection)], ...change, when: new Date().toISOString() };
      known[key(source, detection)] = mark;
      write();
    },
    remove(source, detection) {
      read();
      delete known[key(source, detection)];
      write();
    },
    // Verdicts on a source and on its detections, each named once.
    of(source) {
      const found = Object.keys(known).filter((name) => JSON.parse(name)[0] === source);
      return [...new Set(found.map((name) => known[name].verdict))].join(", ");
    },
    csv() {
      const rows = Object.entries(known).map(([name, mark]) => {
        const [source, detection] = JSON.parse(name);
        return { project, source, detection, ...mark };
      });
      const cell = (text) => `"${String(text ?? "").replaceAll('"', '""')}"`;
      const lines = rows.map((row) => MARK_COLUMNS.map((column) => cell(row[column])).join(","));
      return [MARK_COLUMNS.join(","), ...lines].join("\r\n") + "\r\n";
    },
    onChange(update) {
      addEventListener("storage", (event) => {
        if (event.key === place || event.key === null) {
          read();
          update();
        }
      });
      // Going back may show a page from the browser's cache, with old marks.
      addEventListener("pageshow", () => {
        read();
        update();
      });
    },
  };
}

// Offer a text as a download.
function saveText(name, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// Make an element; its content is text or elements, never HTML.
function make(tag, attributes = {}, ...content) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...content);
  return made;
}
