// Charts of epochs: uPlot handles axes, cursor and selection; points are drawn here, with a colour and shape per filter.
"use strict";

// Okabe & Ito (2008), "Color Universal Design"; the lighter ones are for dark mode.
const COLOURS = {
  light: ["#0072B2", "#D55E00", "#007A58", "#A8478A", "#8A6100", "#3B6FB6"],
  dark: ["#56B4E9", "#FF8A3D", "#2FC79B", "#E79CC6", "#F0C04A", "#9DB8F0"],
};
const SHAPES = ["circle", "square", "triangle", "diamond", "cross", "plus"];
// Filters with a fixed colour, in the order of the colours, and the order in which others get those that are left; both
// as in the figures.
const BANDS = [..."urgizy"];
const OTHERS = [..."uzgiyr"].map((letter) => BANDS.indexOf(letter));
const NEAR_PX = 24;
const MJD_OF_1970 = 40587;

const dark = matchMedia("screen and (prefers-color-scheme: dark)");
const paint = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const colourOf = (number) => COLOURS[dark.matches ? "dark" : "light"][number % COLOURS.light.length];
const bandColours = (names) => {
  const fixed = names.map((name) => BANDS.indexOf(name.slice(name.lastIndexOf("-") + 1)));
  const free = OTHERS.filter((number) => !fixed.includes(number));
  const left = free.length ? free : OTHERS;
  let given = 0;
  return fixed.map((number) => (number < 0 ? left[given++ % left.length] : number));
};
// The next shape for each filter, or the first one after it that no earlier filter of the same colour has.
const shapesOf = (colours) => {
  const taken = new Set();
  return colours.map((colour, number) => {
    const turns = SHAPES.map((_, step) => SHAPES[(number + step) % SHAPES.length]);
    const shape = turns.find((each) => !taken.has(`${colour} ${each}`)) || turns[0];
    taken.add(`${colour} ${shape}`);
    return shape;
  });
};
const dateOf = (mjd) => new Date((mjd - MJD_OF_1970) * 86400000).toISOString();
const finite = (value) => value !== null && Number.isFinite(value);

// Trace the outline of a marker.
function trace(context, shape, x, y, r) {
  context.beginPath();
  if (shape === "circle") context.arc(x, y, r, 0, 2 * Math.PI);
  else if (shape === "square") context.rect(x - r, y - r, 2 * r, 2 * r);
  else if (shape === "cross" || shape === "plus") {
    const d = shape === "cross" ? r : 0;
    const e = shape === "cross" ? r : 1.3 * r;
    context.moveTo(x - e, y - d);
    context.lineTo(x + e, y + d);
    context.moveTo(x + d, y - e);
    context.lineTo(x - d, y + e);
  } else {
    const corners = shape === "triangle" ? [[0, -1.3], [1.2, 0.9], [-1.2, 0.9]] : [[0, -1.4], [1.4, 0], [0, 1.4], [-1.4, 0]];
    corners.forEach(([dx, dy], number) => context[number ? "lineTo" : "moveTo"](x + r * dx, y + r * dy));
    context.closePath();
  }
}

// Function that gives the position on the canvas of a value on a linear scale, without a call of the chart for each.
function placer(u, name) {
  const { min, max } = u.scales[name];
  const from = u.valToPos(min, name, true);
  const step = (u.valToPos(max, name, true) - from) / (max - min);
  return (value) => from + (value - min) * step;
}

// Draw layers of points: {x, y, error, hollow, colour, shape}, the first four being arrays of equal length. Of a layer's
// points on the same pixel only the first is drawn, so that a hundred thousand points take no longer than the pixels do.
function drawPoints(u, layers, { errors, size }) {
  const context = u.ctx;
  const scale = devicePixelRatio;
  const { left, top, width, height } = u.bbox;
  const [place, level] = [placer(u, "x"), placer(u, "y")];
  context.save();
  context.beginPath();
  context.rect(left, top, width, height);
  context.clip();
  context.lineWidth = 1.2 * scale;
  for (const layer of layers) {
    context.strokeStyle = context.fillStyle = colourOf(layer.colour);
    const open = layer.shape === "cross" || layer.shape === "plus";
    const columns = Math.ceil(width) + 20;
    const drawn = new Uint8Array(columns * (Math.ceil(height) + 20));
    for (let i = 0; i < layer.x.length; i++) {
      const x = place(layer.x[i]);
      const y = level(layer.y[i]);
      if (!finite(layer.y[i]) || x < left - 9 || x > left + width + 9 || y < top - 9 || y > top + height + 9) continue;
      const pixel = Math.round(x - left + 9) + columns * Math.round(y - top + 9);
      if (drawn[pixel]) continue;
      drawn[pixel] = 1;
      if (errors && finite(layer.error[i])) {
        context.globalAlpha = 0.45;
        context.beginPath();
        context.moveTo(x, level(layer.y[i] - layer.error[i]));
        context.lineTo(x, level(layer.y[i] + layer.error[i]));
        context.stroke();
      }
      context.globalAlpha = layer.hollow[i] ? 0.75 : 0.9;
      trace(context, layer.shape, x, y, size * scale);
      if (layer.hollow[i] || open) context.stroke();
      else context.fill();
    }
  }
  context.restore();
}

// Draw rings around points.
function drawRings(u, points) {
  const context = u.ctx;
  context.save();
  context.strokeStyle = paint("ink");
  context.lineWidth = 1.6 * devicePixelRatio;
  for (const [x, y] of points) {
    const px = u.valToPos(x, "x", true);
    if (px < u.bbox.left || px > u.bbox.left + u.bbox.width) continue;
    context.beginPath();
    context.arc(px, u.valToPos(y, "y", true), 7 * devicePixelRatio, 0, 2 * Math.PI);
    context.stroke();
  }
  context.restore();
}

// Shade a range of x.
function drawBand(u, [from, to]) {
  const context = u.ctx;
  const start = Math.max(u.valToPos(from, "x", true), u.bbox.left);
  const stop = Math.min(u.valToPos(to, "x", true), u.bbox.left + u.bbox.width);
  if (stop < u.bbox.left || start > u.bbox.left + u.bbox.width) return;
  context.save();
  context.globalAlpha = 0.13;
  context.fillStyle = paint("link");
  context.fillRect(start, u.bbox.top, Math.max(stop - start, 2 * devicePixelRatio), u.bbox.height);
  context.restore();
}

// Range of y that holds some values and the points in a range of x, with their errors and a margin.
function reach(layers, from, to, errors, values = []) {
  let low = Math.min(...values.filter(finite));
  let high = Math.max(...values.filter(finite));
  for (const layer of layers) {
    for (let i = 0; i < layer.x.length; i++) {
      if (!finite(layer.y[i]) || layer.x[i] < from || layer.x[i] > to) continue;
      const error = errors && finite(layer.error[i]) ? layer.error[i] : 0;
      low = Math.min(low, layer.y[i] - error);
      high = Math.max(high, layer.y[i] + error);
    }
  }
  if (low > high) return [0, 1];
  const room = 0.06 * (high - low) || 0.05 * Math.abs(high) || 1;
  return [low - room, high + room];
}

// Make a chart in an element. `look()` returns what to draw and is called at each redraw: {layers, whole, label, unit, errors} and
// optionally {down, values, floor, line, under, over, dates, tick, alone}.
function makeChart(parent, height, look, { onRange = () => {}, onNear = () => {}, sync = null } = {}) {
  let plot = null;
  let range = null;

  function show(from, to) {
    const now = look();
    const width = now.whole[1] - now.whole[0] || 1;
    const span = Math.min(Math.max(to - from, 1e-7 * width), 1.2 * width);
    const middle = Math.min(Math.max((from + to) / 2, now.whole[0]), now.whole[1]);
    range = [middle - span / 2, middle + span / 2];
    const [least, high] = reach(now.layers, ...range, now.errors, now.values);
    const low = now.floor ?? least;
    plot.batch(() => {
      plot.setScale("x", { min: range[0], max: range[1] });
      plot.setScale("y", { min: low, max: high });
    });
    onRange(range);
  }

  // Show a range with a margin on either side.
  function fit([from, to]) {
    const room = 0.03 * (to - from) || 0.5;
    show(from - room, to + room);
  }

  const whole = () => fit(look().whole);

  const zoom = (factor, at = (range[0] + range[1]) / 2) =>
    show(at - (at - range[0]) * factor, at + (range[1] - at) * factor);
  const pan = (part) => show(range[0] + part * (range[1] - range[0]), range[1] + part * (range[1] - range[0]));

  // Layer and index of the point nearest to a position on the screen; null if none is near.
  function nearest(left, top) {
    let found = null;
    let least = NEAR_PX ** 2;
    const [place, level] = [placer(plot, "x"), placer(plot, "y")];
    const [x, y] = [left * devicePixelRatio + plot.bbox.left, top * devicePixelRatio + plot.bbox.top];
    for (const layer of look().layers) {
      for (let i = 0; i < layer.x.length; i++) {
        if (!finite(layer.y[i]) || layer.x[i] < range[0] || layer.x[i] > range[1]) continue;
        const distance = ((place(layer.x[i]) - x) ** 2 + (level(layer.y[i]) - y) ** 2) / devicePixelRatio ** 2;
        if (distance < least) {
          least = distance;
          found = [layer, i];
        }
      }
    }
    return found;
  }

  // Dragging pans with shift or the middle button, and selects without.
  const drag = (u, _, handle) => (event) => {
    if (!event.shiftKey && event.button !== 1) return handle(event);
    const [from, to] = range;
    const start = event.clientX;
    const move = (now) => {
      const by = ((start - now.clientX) / u.over.clientWidth) * (to - from);
      show(from + by, to + by);
    };
    addEventListener("mousemove", move);
    addEventListener("mouseup", () => removeEventListener("mousemove", move), { once: true });
    return null;
  };

  const axis = { stroke: () => paint("soft"), grid: { stroke: () => paint("line"), width: 1 }, ticks: { stroke: () => paint("line"), width: 1, size: 6 } };
  const days = (u, splits) => {
    const step = Math.abs(splits[1] - splits[0]) || 1;
    const told = (places) => splits.every((mjd) => Math.abs(Number(mjd.toFixed(places)) - mjd) < 0.01 * step);
    const places = [0, 1, 2, 3, 4, 5].find(told) ?? 6;
    const { dates, tick } = look();
    if (tick) return splits.map(tick);
    return splits.map((mjd) => (dates ? dateOf(mjd).slice(...(step < 0.05 ? [11, 16] : step < 1 ? [5, 16] : [0, 10])).replace("T", " ") : mjd.toFixed(places)));
  };

  // Ticks of a logarithmic axis: at 1, 2 and 5 of each decade, or at 1 only; evenly spaced if these are too few or too many.
  function decades(u, _, low, high, step) {
    for (const digits of [[1, 2, 5], [1]]) {
      const places = [];
      for (let power = Math.floor(low); power <= high; power++) places.push(...digits.map((digit) => power + Math.log10(digit)));
      const found = places.filter((place) => place >= low && place <= high);
      if (found.length >= 3 && found.length <= u.width / 60) return found;
    }
    return Array.from({ length: Math.floor((high - low) / step) + 1 }, (__, n) => (Math.ceil(low / step) + n) * step);
  }

  function build() {
    plot?.destroy();
    const now = look();
    const keep = range;
    plot = new uPlot({
      width: Math.max(parent.clientWidth, 200),
      height,
      legend: { show: false },
      scales: { x: { time: false, auto: false }, y: { auto: false, dir: now.down ? -1 : 1 } },
      series: [{}, { show: true, paths: () => null, points: { show: false } }],
      axes: [
        { ...axis, label: now.label, labelSize: 22, size: 30, values: days, space: now.dates ? 90 : 70, ...(now.tick ? { splits: decades } : {}) },
        { ...axis, label: now.unit, labelSize: 22, size: 62 },
      ],
      cursor: {
        drag: { x: true, y: false, setScale: false },
        bind: { mousedown: drag, dblclick: () => () => whole() },
        points: { show: false },
        ...(sync && !now.alone ? { sync: { key: sync, scales: ["x", null], filters: { pub: (type) => type === "mousemove" || type === "mouseleave" } } } : {}),
      },
      hooks: {
        setSelect: [(u) => {
          if (u.select.width > 3) show(u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x"));
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        }],
        draw: [(u) => {
          const what = look();
          what.under?.(u);
          if (what.line) drawLine(u, what.line);
          else drawPoints(u, what.layers, { errors: what.errors, size: 3 });
          what.over?.(u);
        }],
      },
    }, [now.whole, [null, null]], parent);
    plot.over.addEventListener("mousemove", (event) => onNear(nearest(event.offsetX, event.offsetY)));
    plot.over.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      zoom(event.deltaY > 0 ? 1.25 : 0.8, plot.posToVal(event.offsetX, "x"));
    }, { passive: false });
    if (keep) show(...keep);
    else whole();
  }

  build();
  new ResizeObserver(() => {
    if (plot.width !== parent.clientWidth && parent.clientWidth > 0) plot.setSize({ width: parent.clientWidth, height });
  }).observe(parent);
  dark.addEventListener("change", () => plot.redraw());
  return {
    show, fit, whole, zoom, pan,
    get range() { return range; },
    get ticks() { return plot.axes[0]._values.map((text, n) => [text, plot.axes[0]._splits[n]]); },
    redraw() { plot.redraw(); },
    refit() { show(...range); },
    rebuild(reset = false) {
      if (reset) range = null;
      build();
    },
  };
}

// Draw a dashed line at x with a label, which is higher for odd numbers.
function drawMark(u, x, text, number) {
  const context = u.ctx;
  const at = u.valToPos(x, "x", true);
  const { left, top, width, height } = u.bbox;
  if (at < left || at > left + width) return;
  context.save();
  context.strokeStyle = context.fillStyle = colourOf(1);
  context.lineWidth = 1.4 * devicePixelRatio;
  context.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
  context.beginPath();
  context.moveTo(at, top);
  context.lineTo(at, top + height);
  context.stroke();
  context.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
  const right = at > left + 0.75 * width;
  context.textAlign = right ? "right" : "left";
  context.fillText(text, at + (right ? -5 : 5) * devicePixelRatio, top + height - (8 + 16 * (number % 2)) * devicePixelRatio);
  context.restore();
}

// Shade a range of y.
function drawNoise(u, from, to) {
  const context = u.ctx;
  const [start, stop] = [u.valToPos(from, "y", true), u.valToPos(to, "y", true)];
  context.save();
  context.globalAlpha = 0.16;
  context.fillStyle = paint("soft");
  context.fillRect(u.bbox.left, Math.min(start, stop), u.bbox.width, Math.abs(stop - start));
  context.restore();
}

// Draw a line at y, dashed unless the list of lengths of dashes is empty.
function drawLevel(u, y, dashes) {
  const context = u.ctx;
  const at = u.valToPos(y, "y", true);
  context.save();
  context.strokeStyle = paint("soft");
  context.lineWidth = 1.2 * devicePixelRatio;
  context.setLineDash(dashes.map((length) => length * devicePixelRatio));
  context.beginPath();
  context.moveTo(u.bbox.left, at);
  context.lineTo(u.bbox.left + u.bbox.width, at);
  context.stroke();
  context.restore();
}

// Draw a line through points in order of x, broken where y is missing.
function drawLine(u, { x, y, stroke = colourOf(0) }) {
  const context = u.ctx;
  context.save();
  context.beginPath();
  context.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
  context.clip();
  context.strokeStyle = stroke;
  context.lineWidth = 1.2 * devicePixelRatio;
  context.beginPath();
  for (let i = 0; i < x.length; i++) {
    if (finite(y[i])) context[i && finite(y[i - 1]) ? "lineTo" : "moveTo"](u.valToPos(x[i], "x", true), u.valToPos(y[i], "y", true));
  }
  context.stroke();
  context.restore();
}
