// The page of a source: charts of its lightcurves, marks of its detections, keyboard shortcuts.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const marks = openMarks(data.project);
  const at = (id) => document.getElementById(id);
  // In the order of the figures, by which filters without a fixed colour get theirs.
  const filters = [...new Set(data.lightcurves.map((lightcurve) => `${lightcurve.obs} ${lightcurve.filter}`))].sort();
  const colours = bandColours(filters.map((name) => name.slice(name.indexOf(" ") + 1)));
  const shapes = shapesOf(colours);
  const items = [...data.detections, { key: "", whole: true }];
  const state = {
    value: isBright() ? "mag" : "flux",
    time: "mjd",
    errors: true,
    flagged: true,
    hidden: new Set(),
    chosen: 0,
    period: data.period || 1,
  };
  let charts = null;

  // Whether nearly all epochs have magnitudes.
  function isBright() {
    const all = data.lightcurves.flatMap((lightcurve) => lightcurve.mag);
    return all.filter(finite).length >= 0.9 * all.length;
  }

  // Layers of points to draw, by time or folded.
  function layers(time) {
    const shown = data.lightcurves.filter((one) => !state.hidden.has(`${one.obs} ${one.filter}`));
    return shown.map((one) => {
      const number = filters.indexOf(`${one.obs} ${one.filter}`);
      const kept = one.mjd.map((_, i) => i).filter((i) => (state.flagged || !one.qflag[i]) && (time !== "phase" || finite(one.bmjd_tdb[i])));
      const places = time === "phase" ? [...kept, ...kept] : kept;
      const turn = (i, n) => ((((one.bmjd_tdb[i] / state.period) % 1) + 1) % 1) + (n >= kept.length ? 1 : 0);
      return {
        one, places, colour: colours[number], shape: shapes[number],
        x: places.map((i, n) => (time === "phase" ? turn(i, n) : one.mjd[i])),
        y: places.map((i) => one[state.value][i]),
        error: places.map((i) => one[`${state.value}err`][i]),
        hollow: places.map((i) => one.qflag[i] !== 0),
      };
    });
  }

  const every = data.lightcurves.flatMap((lightcurve) => lightcurve.mjd);
  const span = every.reduce(([low, high], mjd) => [Math.min(low, mjd), Math.max(high, mjd)], [Infinity, -Infinity]);
  let drawn = {};

  function look(time, more) {
    const [label, dates] = { mjd: ["MJD (UTC, mid-exposure)", false], date: ["date (UTC, mid-exposure)", true], phase: [`phase of ${Number(state.period.toPrecision(9))} d (BMJD, TDB)`, false] }[time];
    return {
      layers: (drawn[time === "phase" ? "phase" : "time"] ??= layers(time)),
      whole: time === "phase" ? [0, 2] : span,
      alone: time === "phase",
      label, dates, errors: state.errors,
      unit: state.value === "mag" ? "magnitude (AB)" : "flux density (µJy)",
      down: state.value === "mag",
      ...more,
    };
  }

  // Draw rings around the unflagged epochs of the selected detection.
  function rings(u) {
    const one = items[state.chosen];
    if (one.whole) return;
    const lightcurve = data.lightcurves[one.lightcurve];
    if (state.hidden.has(`${lightcurve.obs} ${lightcurve.filter}`)) return;
    const points = [];
    for (let i = one.first_epoch; i <= one.last_epoch; i++) {
      if (finite(lightcurve[state.value][i]) && !lightcurve.qflag[i]) points.push([lightcurve.mjd[i], lightcurve[state.value][i]]);
    }
    drawRings(u, points);
  }

  // Flux or magnitude of a flux, as the chart shows them; null if there is none.
  const shown = (flux) => (flux === null || state.value === "flux" ? flux : flux > 0 ? 23.9 - 2.5 * Math.log10(flux) : null);

  // Levels of the selected detection, in what the chart shows; null where there is none.
  function levels() {
    if (items[state.chosen].whole) return {};
    const { median, noise, threshold } = items[state.chosen].levels;
    const beside = (sign) => (finite(noise) ? shown(median + sign * noise) : null);
    return { median: shown(median), below: beside(-1), above: beside(1), threshold: shown(threshold) };
  }

  // Draw what lies beneath the epochs of the close-up: the span of the event and, where known, the median with the noise
  // around it, the threshold and the template.
  function basis(u) {
    const one = items[state.chosen];
    if (one.whole) return;
    const { median, below, above, threshold } = levels();
    drawBand(u, [one.start_mjd, one.end_mjd]);
    if (finite(below) && finite(above)) drawNoise(u, below, above);
    if (finite(median)) drawLevel(u, median, []);
    if (finite(threshold)) drawLevel(u, threshold, [6, 5]);
    if (one.light) drawLine(u, { x: one.light.mjd, y: one.light.flux.map(shown), stroke: paint("ink") });
  }

  // Describe the close-up in words.
  function describe(one) {
    if (one.whole) return "";
    const number = (value, digits = 3) => (finite(value) ? String(Number(value.toPrecision(digits))) : "unknown");
    const parts = [`S/N of the peak ${number(one.snr)}, noise ${number(one.levels.noise)} µJy`, `score ${number(one.score)} of ${one.method}`, `threshold ${number(one.threshold)}`];
    if (one.light) parts.push(`template ${one.template}`);
    return parts.join("; ");
  }

  function tell(near) {
    if (!near) return;
    const [layer, n] = near;
    const i = layer.places[n];
    const one = layer.one;
    const bits = Object.entries(data.bits).filter(([bit]) => one.qflag[i] & Number(bit)).map(([, meaning]) => meaning);
    const digits = state.value === "mag" ? 3 : 1;
    const error = finite(layer.error[n]) ? ` ± ${layer.error[n].toFixed(digits)}` : "";
    at("readout").textContent = `${one.obs} ${one.filter}: MJD ${one.mjd[i].toFixed(5)} (${dateOf(one.mjd[i]).slice(0, 16).replace("T", " ")} UTC), ${layer.y[n].toFixed(digits)}${error} ${state.value === "mag" ? "mag" : "µJy"}${bits.length ? `; flagged: ${bits.join(", ")}` : ""}`;
  }

  function build() {
    if (!data.lightcurves.length) return;
    const time = () => (state.time === "phase" ? "mjd" : state.time);
    charts = {};
    if (data.detections.length) {
      charts.near = makeChart(at("closeup"), 260, () => look(time(), { under: basis, over: rings, values: Object.values(levels()) }), { onRange: () => charts.main?.redraw(), onNear: tell, sync: "time" });
    }
    const under = (u) => { if (charts.near && state.time !== "phase") drawBand(u, charts.near.range); };
    const over = (u) => { if (state.time !== "phase") rings(u); };
    charts.main = makeChart(at("chart"), 340, () => look(state.time, { under, over }), { onNear: tell, sync: "time" });
    if (data.periodogram) buildPeriodogram();
  }

  function buildPeriodogram() {
    const { period, power, lines } = data.periodogram;
    const x = period.map(Math.log10);
    const layer = { x, y: power, error: [], hollow: [], colour: 0, shape: "circle" };
    makeChart(at("periodogram"), 240, () => ({
      layers: [layer], line: { x, y: power }, whole: [x[0], x[x.length - 1]], label: "period (d)", unit: "power", errors: false, floor: 0,
      over: (u) => lines.forEach(([text, value], number) => drawMark(u, Math.log10(value), text, number)),
      tick: (value) => String(Number((10 ** value).toPrecision(3))),
    }), { onNear: (near) => { if (near) at("period-readout").textContent = `Period ${period[near[1]]} d, power ${power[near[1]]}`; } });
  }

  // Redraw after a change of what is shown.
  function update({ rebuild = false, reset = false } = {}) {
    drawn = {};
    for (const name of ["near", "main"]) {
      if (!charts?.[name]) continue;
      if (rebuild) charts[name].rebuild(reset && name === "main");
      else charts[name].refit();
    }
  }

  function choose(number) {
    state.chosen = (number + items.length) % items.length;
    const one = items[state.chosen];
    document.querySelectorAll("[data-item]").forEach((button) => {
      const on = Number(button.dataset.item) === state.chosen;
      button.setAttribute("aria-pressed", String(on));
      button.closest("tr").classList.toggle("chosen", on);
    });
    at("chosen").textContent = one.whole ? "the source as a whole" : `detection ${state.chosen + 1} of ${data.detections.length}: ${one.key}`;
    at("note").placeholder = `on ${at("chosen").textContent}`;
    if (charts?.near) at("closeup-readout").textContent = describe(one);
    if (charts?.near && !one.whole) charts.near.fit(one.around);
    charts?.main?.redraw();
    showMarks();
  }

  function showMarks() {
    const mark = marks.get(data.source, items[state.chosen].key);
    for (const verdict of VERDICTS) at(`mark-${verdict}`).setAttribute("aria-pressed", String(mark?.verdict === verdict));
    if (document.activeElement !== at("note")) at("note").value = mark?.note || "";
    items.forEach((one, number) => {
      const cell = document.querySelector(`[data-mark="${number}"]`);
      const known = marks.get(data.source, one.key);
      cell.textContent = known ? known.verdict : "–";
      cell.dataset.verdict = known?.verdict || "";
    });
    const kept = marks.isStored ? "stored in this browser" : "lost when this page is closed, because the browser stores nothing; export them";
    at("marked").textContent = `${marks.size} ${marks.size === 1 ? "mark" : "marks"} in this project, ${kept}`;
  }

  function mark(verdict) {
    marks.set(data.source, items[state.chosen].key, { verdict, who: at("who").value.trim() });
    at("said").textContent = `Marked as ${verdict}: ${at("chosen").textContent}`;
    if (state.chosen < data.detections.length - 1) choose(state.chosen + 1);
    else showMarks();
  }

  function unmark() {
    marks.remove(data.source, items[state.chosen].key);
    at("said").textContent = `Mark removed: ${at("chosen").textContent}`;
    showMarks();
  }

  function setValue(value) {
    state.value = value;
    at(`value-${value}`).checked = true;
    update({ rebuild: true });
  }

  function setTime(time) {
    const turned = (time === "phase") !== (state.time === "phase");
    state.time = time;
    at(`time-${time}`).checked = true;
    update({ rebuild: true, reset: turned });
  }

  function flip(id) {
    at(id).checked = !at(id).checked;
    at(id).dispatchEvent(new Event("change"));
  }

  function go(rel) {
    const link = document.querySelector(`a[rel="${rel}"]`);
    if (link) location.href = link.href;
    else at("said").textContent = rel === "next" ? "This is the last page" : "This is the first page";
  }

  const KEYS = {
    r: () => mark("real"), a: () => mark("artefact"), u: () => mark("unsure"), x: unmark,
    j: () => choose(state.chosen + 1), k: () => choose(state.chosen - 1),
    n: () => go("next"), p: () => go("prev"),
    m: () => setValue(state.value === "mag" ? "flux" : "mag"), f: () => flip("show-flagged"), e: () => flip("show-errors"),
    "+": () => charts?.main.zoom(0.5), "-": () => charts?.main.zoom(2), 0: () => charts?.main.whole(),
    ",": () => charts?.main.pan(-0.25), ".": () => charts?.main.pan(0.25), c: () => at("to-closeup").click(),
  };

  addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input:not([type=checkbox]):not([type=radio]), select, textarea");
    if (typing || event.ctrlKey || event.altKey || event.metaKey || !at("keys").checked || !KEYS[event.key]) return;
    event.preventDefault();
    KEYS[event.key]();
  });

  // Keep a person's setting in the browser, for all pages.
  function remember(id, read, write) {
    try {
      const known = localStorage.getItem(`vo ${id}`);
      if (known !== null) write(known);
    } catch {
      return;
    }
    at(id).addEventListener("change", () => localStorage.setItem(`vo ${id}`, read()));
  }

  function wire() {
    remember("who", () => at("who").value, (text) => { at("who").value = text; });
    remember("keys", () => (at("keys").checked ? "on" : "off"), (text) => { at("keys").checked = text === "on"; });
    for (const verdict of VERDICTS) at(`mark-${verdict}`).addEventListener("click", () => mark(verdict));
    at("mark-none").addEventListener("click", unmark);
    at("note").addEventListener("change", () => {
      const known = marks.get(data.source, items[state.chosen].key);
      marks.set(data.source, items[state.chosen].key, { verdict: known?.verdict || "unsure", who: at("who").value.trim(), note: at("note").value.trim() });
      at("said").textContent = `Note on ${at("chosen").textContent}`;
      showMarks();
    });
    at("export").addEventListener("click", () => saveText(`${data.project}_marks.csv`, marks.csv()));
    document.querySelectorAll("[data-item]").forEach((button) => button.addEventListener("click", () => choose(Number(button.dataset.item))));
    if (data.lightcurves.length) wireCharts();
    marks.onChange(showMarks);
  }

  function wireCharts() {
    filters.forEach((name, number) => {
      const box = make("input", { type: "checkbox", id: `filter-${number}` });
      box.checked = true;
      box.addEventListener("change", () => {
        if (box.checked) state.hidden.delete(name);
        else state.hidden.add(name);
        update();
      });
      const sign = make("canvas", { width: 28, height: 28, class: "sign", "aria-hidden": "true" });
      at("filters").append(make("label", {}, box, sign, ` ${name}`));
      const draw = () => drawSign(sign, number);
      draw();
      dark.addEventListener("change", draw);
    });
    for (const value of ["mag", "flux"]) at(`value-${value}`).addEventListener("change", () => setValue(value));
    for (const time of ["mjd", "date", "phase"]) at(`time-${time}`).addEventListener("change", () => setTime(time));
    at("period").value = Number(state.period.toPrecision(9));
    at("period").addEventListener("change", () => {
      if (!(Number(at("period").value) > 0)) return;
      state.period = Number(at("period").value);
      setTime("phase");
    });
    at(`value-${state.value}`).checked = true;
    at("show-flagged").addEventListener("change", () => { state.flagged = at("show-flagged").checked; update(); });
    at("show-errors").addEventListener("change", () => { state.errors = at("show-errors").checked; update(); });
    const press = { "zoom-in": "+", "zoom-out": "-", "zoom-all": "0", earlier: ",", later: "." };
    for (const [id, key] of Object.entries(press)) at(id).addEventListener("click", () => KEYS[key]());
    at("to-closeup").addEventListener("click", () => {
      if (state.time === "phase") setTime("mjd");
      if (charts?.near) charts.main.show(...charts.near.range);
    });
  }

  // Draw the symbol of a filter beside its name.
  function drawSign(canvas, number) {
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, 28, 28);
    context.strokeStyle = context.fillStyle = colourOf(colours[number]);
    context.lineWidth = 3;
    trace(context, shapes[number], 14, 14, 8);
    if (["cross", "plus"].includes(shapes[number])) context.stroke();
    else context.fill();
  }

  wire();
  build();
  choose(0);
  // For tests and the browser's console: what the charts show now.
  window.vetting = { state, marks, get range() { return charts?.main?.range; }, get near() { return charts?.near?.range; }, get levels() { return levels(); }, get charts() { return charts; }, get points() { return layers("mjd").reduce((sum, layer) => sum + layer.x.length, 0); } };
})();
