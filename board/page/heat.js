// Heat maps on a canvas: rows by depth over time, with pins, and histograms over time.

import {shown, duration, element} from "./source.js";
import {fit, color, ticks} from "./chart.js";

// The colors of a share or a size, from little to much (viridis), and of what has a middle that is good.
const sequential = [[68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141], [39, 173, 129], [92, 200, 99], [170, 220, 50], [253, 231, 37]];
const diverging = [[33, 75, 150], [67, 130, 190], [140, 185, 215], [120, 160, 140], [96, 168, 104], [160, 165, 110], [235, 170, 110], [222, 110, 80], [170, 30, 50]];

// mix returns a color between the given ones, at t from 0 to 1.
function mix(stops, t) {
  const p = Math.min(Math.max(t, 0), 1) * (stops.length - 1), i = Math.min(Math.floor(p), stops.length - 2), f = p - i;
  return `rgb(${stops[i].map((v, k) => Math.round(v + (stops[i + 1][k] - v) * f)).join(" ")})`;
}

// range returns how the values of a map become colors: {at(v) from 0 to 1, low, high, log, stops}.
function range(rows, measure) {
  const finite = rows.flat().filter(v => v !== null && Number.isFinite(v) && (!measure.log || v > 0));
  let low = Infinity, high = -Infinity;
  for (const v of finite) low = Math.min(low, v), high = Math.max(high, v);
  if (measure.share) [low, high] = [0, 1];
  if (measure.middle) {
    const reach = Math.max(1e3, high / measure.middle, measure.middle / low);
    [low, high] = [measure.middle / Math.min(reach, 1e6), measure.middle * Math.min(reach, 1e6)];
  }
  if (!(low < high)) [low, high] = measure.log ? [low > 0 && low < Infinity ? low / 10 : 1e-3, high > 0 ? high * 10 : 1] : [0, Math.max(high, 1)];
  if (measure.log && high / low < 100) { // so that noise does not look like more
    const middle = Math.sqrt(low * high);
    [low, high] = [middle / 10, middle * 10];
  }
  const f = measure.log ? v => Math.log10(Math.max(v, 1e-300)) : v => v;
  return {low, high, log: measure.log, stops: measure.middle ? diverging : sequential, at: v => (f(v) - f(low)) / (f(high) - f(low))};
}

// paint returns the color of a value.
const paint = (v, r) => !Number.isFinite(v) ? color("fault") : mix(r.stops, r.at(v));

// HeatMap shows {rows, x, values} in a box, reads out what is under the pointer, and can be walked through with the arrow keys.
export class HeatMap {
  constructor(box, read, label) {
    this.canvas = element("canvas", {tabIndex: 0, role: "img", "aria-label": label});
    this.pins = element("div", {className: "pins"});
    this.read = read;
    this.cell = null;
    box.replaceChildren(this.canvas, this.pins);
    new ResizeObserver(() => this.draw()).observe(box);
    this.canvas.onpointermove = e => this.pointed(e);
    this.canvas.onpointerdown = e => this.pointed(e);
    this.canvas.onpointerleave = this.canvas.onblur = () => this.choose(null);
    this.canvas.onkeydown = e => {
      const by = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[e.key];
      if (!by || !this.data?.x.length) return;
      e.preventDefault();
      const [i, j] = this.cell ?? [0, this.data.x.length];
      const jump = e.shiftKey ? Math.ceil(this.data.x.length / 20) : 1;
      this.choose([Math.min(Math.max(i + by[1], 0), this.data.rows.length - 1), Math.min(Math.max(j + by[0] * jump, 0), this.data.x.length - 1)]);
    };
  }

  pointed(e) {
    if (!this.place) return;
    const box = this.canvas.getBoundingClientRect(), [i, j] = this.place(e.clientX - box.left, e.clientY - box.top);
    this.choose(i >= 0 && i < this.data.rows.length && j >= 0 && j < this.data.x.length ? [i, j] : null);
  }

  choose(cell) {
    this.cell = cell;
    const d = this.data;
    this.read(cell && d ? `${d.rows[cell[0]]}, ${d.axis === "seconds" ? duration(d.x[cell[1]]) : d.axis + " " + shown(d.x[cell[1]])}: ${shown(d.values[cell[0]]?.[cell[1]])}` : "");
    this.draw(false);
  }

  // set takes the data: rows are names, x the places of the columns, measure says how values become colors, pins are
  // {row, x, text, severity, chosen()}.
  set(data, measure, pins = []) {
    this.data = data;
    this.measure = measure;
    this.marks = pins;
    this.scale = range(data.values, measure);
    if (this.cell && (this.cell[0] >= data.rows.length || this.cell[1] >= data.x.length)) this.cell = null;
    this.canvas.style.height = Math.max(120, Math.min(26, Math.max(7, 460 / data.rows.length)) * data.rows.length + 26) + "px";
    this.draw();
  }

  // draw draws the map, and places the pins unless only the cell has changed.
  draw(place = true) {
    const d = this.data;
    const [c, width, height] = fit(this.canvas);
    this.place = null;
    if (!d) return;
    c.font = "11px system-ui, sans-serif";
    c.fillStyle = color("quiet");
    c.textBaseline = "middle";
    if (!d.x.length || !d.rows.length) return c.fillText("nothing recorded yet", 10, height / 2);
    const widest = Math.max(...d.rows.map(r => c.measureText(r).width));
    const left = Math.min(widest + 14, width * 0.3), top = 2, bottom = height - 22, w = (width - left - 8) / d.x.length, h = (bottom - top) / d.rows.length;
    this.place = (x, y) => [Math.floor((y - top) / h), Math.floor((x - left) / w)];
    let drawnTo = -Infinity;
    d.rows.forEach((name, i) => {
      const y = top + (i + 0.5) * h;
      if (y - drawnTo > 12) {
        let text = name;
        while (text.length > 3 && c.measureText(text).width > left - 12) text = "…" + text.slice(2);
        c.fillStyle = this.cell?.[0] === i ? color("text") : color("quiet");
        c.fillText(text, 4, y);
        drawnTo = y;
      }
      (d.values[i] ?? []).forEach((v, j) => {
        if (v === null || v === undefined) return;
        c.fillStyle = paint(v, this.scale);
        c.fillRect(left + j * w, top + i * h, w + 0.6, h > 9 ? h - 1 : h + 0.3);
      });
    });
    c.fillStyle = color("quiet");
    c.textAlign = "center";
    c.textBaseline = "top";
    for (const v of ticks(d.x[0], Math.max(d.x.at(-1), d.x[0] + 1), width / 80)) {
      const x = left + (column(d.x, v) + 0.5) * w;
      if (v >= d.x[0] && v <= d.x.at(-1) && x < width - 24) c.fillText(d.axis === "seconds" ? duration(v) : shown(v), x, bottom + 6);
    }
    if (this.cell) {
      const [i, j] = this.cell;
      c.strokeStyle = color("text");
      c.lineWidth = 1.5;
      c.strokeRect(left + j * w - 0.5, top + i * h - 0.5, Math.max(w, 3) + 1, h + 1);
    }
    if (!place) return;
    this.pins.replaceChildren();
    this.marks.forEach(m => {
      const pin = element("button", {type: "button", className: "pin " + m.severity, title: m.text, textContent: m.name, "aria-label": m.text, onclick: m.chosen});
      pin.style.left = left + (column(d.x, m.x) + 0.5) * w + "px";
      pin.style.top = top + (m.row + 0.5) * h + "px";
      this.pins.append(pin);
    });
  }

  // legend fills an element with the meaning of the colors.
  legend(into, label) {
    const s = this.scale, strip = element("canvas", {className: "strip", "aria-hidden": "true"});
    into.replaceChildren(element("span", {textContent: label}), element("span", {textContent: shown(s.low)}), strip, element("span", {textContent: shown(s.high)}));
    if (this.measure.middle) into.append(element("span", {textContent: `green: near ${shown(this.measure.middle)}`}));
    if (this.data.values.flat().some(v => v !== null && !Number.isFinite(v))) into.append(element("span", {className: "wrong", textContent: "NaN or infinite"}));
    const [c, width, height] = fit(strip);
    for (let x = 0; x < width; x++) c.fillStyle = mix(s.stops, x / width), c.fillRect(x, 0, 1.5, height);
  }
}

// column returns the column that a place falls into: the first that ends there or later.
function column(xs, v) {
  const i = xs.findIndex(x => x >= v);
  return i < 0 ? xs.length - 1 : i;
}

// Histograms shows distributions over time: the darker or brighter, the more elements.
export class Histograms {
  constructor(box, read) {
    this.canvas = element("canvas", {tabIndex: 0, role: "img", "aria-label": "histograms over time"});
    this.canvas.style.height = "340px";
    this.read = read;
    this.all = [];
    this.chosen = null;
    box.replaceChildren(this.canvas);
    new ResizeObserver(() => this.draw()).observe(box);
    this.canvas.onpointermove = e => this.choose(Math.floor((e.clientX - this.canvas.getBoundingClientRect().left - 54) / this.width));
    this.canvas.onpointerleave = this.canvas.onblur = () => this.choose(null);
    this.canvas.onkeydown = e => {
      const by = {ArrowLeft: -1, ArrowRight: 1}[e.key];
      if (!by) return;
      e.preventDefault();
      this.choose(Math.min(Math.max((this.chosen ?? this.all.length) + by, 0), this.all.length - 1));
    };
  }

  set(all) {
    this.all = all;
    this.draw();
  }

  // choose reads out the quartiles of a column.
  choose(i) {
    const h = this.all[i];
    this.chosen = h ? i : null;
    this.read(h ? `step ${h.run}: ${[0.05, 0.5, 0.95].map(q => `${100 * q} % below ${shown(quantile(h, q))}`).join(", ")}` : "");
    this.draw();
  }

  draw() {
    const [c, width, height] = fit(this.canvas);
    if (!this.all.length) return;
    const left = 54, bottom = height - 22, low = Math.min(...this.all.map(h => h.limits[0])), high = Math.max(...this.all.map(h => h.limits.at(-1)));
    const y = v => bottom - (v - low) / (high - low || 1) * (bottom - 4);
    const w = this.width = (width - left - 8) / this.all.length;
    this.all.forEach((h, j) => {
      const total = h.counts.reduce((a, b) => a + b, 0) || 1;
      const density = h.counts.map((n, i) => n / total / (h.limits[i + 1] - h.limits[i] || 1)), most = Math.max(...density);
      density.forEach((v, i) => {
        if (!v) return;
        c.fillStyle = mix(sequential, Math.sqrt(v / most));
        c.fillRect(left + j * w, y(h.limits[i + 1]), w + 0.5, y(h.limits[i]) - y(h.limits[i + 1]) + 0.5);
      });
    });
    c.font = "11px system-ui, sans-serif";
    c.fillStyle = color("quiet");
    c.textAlign = "right";
    c.textBaseline = "middle";
    for (const v of ticks(low, high > low ? high : low + 1, height / 50)) c.fillText(shown(v), left - 6, y(v));
    c.textAlign = "center";
    c.textBaseline = "top";
    const every = Math.ceil(this.all.length / (width / 90));
    this.all.forEach((h, j) => j % every === 0 && c.fillText(shown(h.run), left + (j + 0.5) * w, bottom + 6));
    if (this.chosen !== null) c.strokeStyle = color("text"), c.strokeRect(left + this.chosen * w, 2, w, bottom - 2);
  }
}

// quantile returns the value below which a share of a histogram lies.
function quantile(h, share) {
  let rest = h.counts.reduce((a, b) => a + b, 0) * share;
  for (let i = 0; i < h.counts.length; i++) {
    if (rest <= h.counts[i] && h.counts[i]) return h.limits[i] + rest / h.counts[i] * (h.limits[i + 1] - h.limits[i]);
    rest -= h.counts[i];
  }
  return h.limits.at(-1);
}
