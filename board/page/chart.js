// Curves on a canvas: scales, lines, the pointer and the keyboard.

import {shown, duration} from "./source.js";

// fit makes a canvas as sharp as the screen and returns its context and its size in CSS pixels.
export function fit(canvas) {
  const {width, height} = canvas.getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(width * ratio));
  canvas.height = Math.max(1, Math.round(height * ratio));
  const c = canvas.getContext("2d");
  c.scale(ratio, ratio);
  return [c, width, height];
}

// color is a color of the style sheet.
export const color = name => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();

// ticks returns round numbers between low and high, about as many as asked for.
export function ticks(low, high, count, log) {
  const out = [];
  if (log) {
    const first = Math.ceil(Math.log10(low) - 1e-9), last = Math.floor(Math.log10(high) + 1e-9);
    if (last - first >= 1) {
      const every = Math.ceil((last - first + 1) / count);
      for (let e = first; e <= last; e += every) out.push(10 ** e);
      return out;
    }
  }
  const rough = (high - low) / count, base = 10 ** Math.floor(Math.log10(rough));
  const by = [1, 2, 5, 10].map(m => m * base).find(s => s >= rough);
  for (let v = Math.ceil(low / by) * by; v <= high + by * 1e-9; v += by) out.push(Math.abs(v) < by * 1e-9 ? 0 : v);
  return out;
}

// scale maps values to pixels.
function scale(low, high, from, to, log) {
  const f = log ? Math.log10 : v => v, a = f(low), b = f(high);
  return {
    low, high, log,
    at: v => from + (f(v) - a) / (b - a) * (to - from),
    value: p => { const t = a + (p - from) / (to - from) * (b - a); return log ? 10 ** t : t; },
  };
}

// Chart draws lines: {color, x, y, faintX, faintY}. It calls moved(x) when the pointer or the keyboard chooses a place, with null
// when it leaves, and zoomed(from, to), with nothing for the whole range.
export class Chart {
  constructor(canvas, moved, zoomed) {
    Object.assign(this, {canvas, moved, zoomed, lines: [], cursor: null, drag: null, options: {}});
    new ResizeObserver(() => this.draw()).observe(canvas);
    const x = e => e.clientX - canvas.getBoundingClientRect().left;
    canvas.onpointerdown = e => {
      if (e.pointerType === "mouse") canvas.setPointerCapture(e.pointerId);
      this.drag = e.pointerType === "touch" ? null : [x(e), x(e)];
    };
    canvas.onpointermove = e => {
      if (this.drag) this.drag[1] = x(e);
      if (this.sx) moved(this.sx.value(x(e)));
    };
    canvas.onpointerup = () => {
      const d = this.drag;
      this.drag = null;
      if (d && this.sx && Math.abs(d[1] - d[0]) > 8) zoomed(...d.map(this.sx.value).sort((a, b) => a - b));
      this.draw();
    };
    canvas.onpointerleave = () => this.drag || moved(null);
    canvas.onblur = () => moved(null);
    canvas.ondblclick = () => zoomed();
    canvas.onkeydown = e => this.key(e);
  }

  // key moves the cursor from point to point, and zooms about it.
  key(e) {
    const s = this.sx, longest = this.lines.reduce((a, l) => l.x.length > (a?.x.length ?? 0) ? l : a, null);
    if (!s || !longest) return;
    const at = this.cursor ?? s.high, span = s.high - s.low;
    const zoom = by => zoomed => zoomed(Math.max(at - span * by / 2, this.full[0]), Math.min(at + span * by / 2, this.full[1]));
    const jump = e.shiftKey ? Math.ceil(longest.x.length / 20) : 1;
    const near = nearest(longest.x, at), step = d => longest.x[Math.min(Math.max(near + d * jump, 0), longest.x.length - 1)];
    const act = {
      ArrowLeft: () => this.moved(step(-1)), ArrowRight: () => this.moved(step(1)),
      Home: () => this.moved(longest.x[0]), End: () => this.moved(longest.x.at(-1)),
      "+": () => zoom(0.5)(this.zoomed), "=": () => zoom(0.5)(this.zoomed), "-": () => zoom(2)(this.zoomed), 0: () => this.zoomed(),
      Escape: () => this.moved(null),
    }[e.key];
    if (!act) return;
    e.preventDefault();
    act();
  }

  set(lines, options) {
    this.lines = lines;
    this.options = options;
    this.draw();
  }

  // point moves the cursor to a place.
  point(x) {
    this.cursor = x;
    this.draw();
  }

  draw() {
    const [c, width, height] = fit(this.canvas), {logX, logY, axis, from, to} = this.options;
    const ok = (v, log) => v !== null && Number.isFinite(v) && (!log || v > 0);
    let x0 = Infinity, x1 = -Infinity, y0 = Infinity, y1 = -Infinity;
    for (const l of this.lines) for (const [xs, ys] of [[l.x, l.y], [l.faintX ?? [], l.faintY ?? []]]) xs.forEach((x, i) => {
      if (!ok(x, logX)) return;
      x0 = Math.min(x0, x), x1 = Math.max(x1, x);
      if (ok(ys[i], logY)) y0 = Math.min(y0, ys[i]), y1 = Math.max(y1, ys[i]);
    });
    this.sx = null;
    c.font = "11px system-ui, sans-serif";
    c.fillStyle = color("quiet");
    if (x0 > x1 || y0 > y1) {
      c.textAlign = "center";
      return c.fillText(x0 > x1 ? "nothing recorded yet" : logY ? "no positive finite values" : "no finite values", width / 2, height / 2);
    }
    if (from !== undefined) x0 = Math.max(from, logX ? x0 : -Infinity), x1 = to;
    else this.full = [x0, x1];
    if (x0 === x1) x1 = x0 + Math.max(1, Math.abs(x0) * 0.1);
    if (y0 === y1) [y0, y1] = logY ? [y0 / 2, y1 * 2] : [y0 - (Math.abs(y0) || 1) / 2, y1 + (Math.abs(y1) || 1) / 2];
    const pad = logY ? (y1 / y0) ** 0.04 : (y1 - y0) * 0.04;
    [y0, y1] = logY ? [y0 / pad, y1 * pad] : [y0 - pad, y1 + pad];
    const left = 54, right = width - 10, top = 8, bottom = height - 22;
    const sx = this.sx = scale(x0, x1, left, right, logX), sy = scale(y0, y1, bottom, top, logY);
    c.strokeStyle = color("grid");
    c.lineWidth = 1;
    c.textAlign = "right";
    c.textBaseline = "middle";
    for (const v of ticks(y0, y1, height / 45, logY)) {
      const y = Math.round(sy.at(v)) + 0.5;
      c.beginPath(), c.moveTo(left, y), c.lineTo(right, y), c.stroke();
      c.fillText(shown(v), left - 6, y);
    }
    c.textAlign = "center";
    c.textBaseline = "top";
    for (const v of ticks(x0, x1, width / 70, logX)) {
      const x = sx.at(v);
      if (x > left + 10 && x < right - 8) c.fillText(axis === "seconds" ? duration(v) : shown(v), x, bottom + 6);
    }
    c.save();
    c.beginPath(), c.rect(left, top - 4, right - left, bottom - top + 8), c.clip();
    for (const l of this.lines) {
      if (l.faintX) this.line(c, sx, sy, l.faintX, l.faintY, l.color, 0.25, 1);
      this.line(c, sx, sy, l.x, l.y, l.color, 1, 1.75);
    }
    if (this.cursor !== null && this.cursor >= x0 && this.cursor <= x1) {
      const x = Math.round(sx.at(this.cursor)) + 0.5;
      c.strokeStyle = color("quiet");
      c.setLineDash([3, 3]);
      c.beginPath(), c.moveTo(x, top), c.lineTo(x, bottom), c.stroke();
      c.setLineDash([]);
      for (const l of this.lines) {
        const i = nearest(l.x, this.cursor);
        if (i < 0 || !ok(l.y[i], logY)) continue;
        c.fillStyle = l.color;
        c.beginPath(), c.arc(sx.at(l.x[i]), sy.at(l.y[i]), 3.5, 0, 7), c.fill();
      }
    }
    if (this.drag && Math.abs(this.drag[1] - this.drag[0]) > 2) {
      c.globalAlpha = 0.15;
      c.fillStyle = color("accent");
      c.fillRect(this.drag[0], top, this.drag[1] - this.drag[0], bottom - top);
    }
    c.restore();
  }

  // line draws one line; where a value is not finite it breaks, and a cross at the top marks the place.
  line(c, sx, sy, xs, ys, paint, alpha, width) {
    c.strokeStyle = c.fillStyle = paint;
    c.globalAlpha = alpha;
    c.lineWidth = width;
    c.lineJoin = "round";
    c.beginPath();
    let on = false, wrong = [];
    xs.forEach((x, i) => {
      const y = ys[i];
      if (y === null || !Number.isFinite(y) || sy.log && y <= 0 || sx.log && x <= 0) {
        if (y !== null && !Number.isFinite(y)) wrong.push(sx.at(x));
        on = false;
        return;
      }
      if (on) c.lineTo(sx.at(x), sy.at(y));
      else c.moveTo(sx.at(x), sy.at(y));
      on = true;
    });
    c.stroke();
    if (xs.length === 1 && on) c.beginPath(), c.arc(sx.at(xs[0]), sy.at(ys[0]), 3, 0, 7), c.fill();
    c.strokeStyle = color("fault");
    c.beginPath();
    for (const x of wrong) c.moveTo(x - 3, 6), c.lineTo(x + 3, 12), c.moveTo(x + 3, 6), c.lineTo(x - 3, 12);
    c.stroke();
    c.globalAlpha = 1;
  }
}

// nearest returns the place in rising numbers that is nearest to x, -1 if there are none.
export function nearest(xs, x) {
  let low = 0, high = xs.length - 1;
  while (low < high) {
    const mid = (low + high) >> 1;
    if (xs[mid] < x) low = mid + 1;
    else high = mid;
  }
  return low > 0 && x - xs[low - 1] < xs[low] - x ? low - 1 : low < xs.length ? low : -1;
}
