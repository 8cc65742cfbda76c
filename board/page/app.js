// The page: the table of runs, the cards of curves, and the panels beside them.

import {ask, Refused, askSeries, pictureURL, follow, isExported, number, shown, duration, element} from "./source.js";
import {Chart, nearest} from "./chart.js";
import {HeatMap, Histograms} from "./heat.js";

const $ = id => document.getElementById(id);

// The colors of runs, told apart on dark and light, by most color-blind eyes too.
const palette = ["#3b9eff", "#ff8f3f", "#2fb98b", "#e668a7", "#b69cff", "#d6b22c", "#58c5e0", "#f2604d", "#8fb85c", "#a98467"];

// What one chooses, remembered by the browser if it lets us.
const memory = {
  get(key, otherwise) { try { return JSON.parse(localStorage.getItem("tarn-board " + key)) ?? otherwise; } catch { return otherwise; } },
  set(key, value) { try { localStorage.setItem("tarn-board " + key, JSON.stringify(value)); } catch { /* the page works without */ } },
};

const state = {
  runs: new Map(), chosen: null, hidden: new Set(memory.get("hidden", [])), colors: new Map(),
  sort: {key: "started", down: true}, details: new Map(), tab: "curves",
  records: new Set(memory.get("records", ["loss", "epoch/train loss", "epoch/val loss", "epoch/accuracy", "gradNorm", "rate"])),
  view: {}, charts: new Map(), cursor: null,
};

// The measures of the flow, and how their values become colors.
const flowMeasures = {
  gradNorm: {label: "gradient norm", log: true}, ratio: {label: "update / weight", log: true, middle: 1e-3},
  dead: {label: "dead units", share: true}, saturated: {label: "saturated units", share: true},
  std: {label: "deviation of outputs", log: true}, mean: {label: "mean of outputs"},
  weightGradNorm: {label: "gradient norm of weights", log: true}, norm: {label: "norm of weights", log: true},
  zeros: {label: "zeros in weights", share: true}, gradZeros: {label: "zeros in gradients", share: true}, nonFinite: {label: "non-finite gradients", log: true},
  computing: {label: "ranks: seconds of computing", rank: true}, between: {label: "ranks: seconds of reading and writing", rank: true},
  waiting: {label: "ranks: seconds of waiting", rank: true}, exchanging: {label: "ranks: seconds of exchanging", rank: true},
};

// nameOf is what a record is called.
function nameOf(name) {
  const fixed = {loss: "loss", rate: "learning rate", gradNorm: "gradient norm", clippedNorm: "gradient norm, clipped", noiseScale: "gradient noise scale", cosine: "cosine of successive gradients", alpha: "alpha (0: bottom of the valley)"};
  if (fixed[name]) return fixed[name];
  const kind = name.slice(0, name.indexOf("/")), rest = name.slice(kind.length + 1);
  if (kind === "epoch") return rest + " by epoch";
  if (kind === "value") return rest;
  if (kind === "rank") return `rank ${rest.replace("/", ": seconds ")}`;
  const cut = rest.lastIndexOf("/"), measure = rest.slice(cut + 1);
  return `${rest.slice(0, cut)}: ${{gradNorm: "gradient norm", updateNorm: "update norm", ratio: "update / weight", nonFinite: "non-finite", gradZeros: "zero gradients", std: "deviation"}[measure] ?? measure}`;
}

// --- the table of runs ---

// differing lists the settings whose values differ between runs.
function differing(runs) {
  const values = new Map();
  for (const r of runs) for (const [k, v] of Object.entries(r.config ?? {})) values.set(k, (values.get(k) ?? new Set()).add(v));
  return [...values].filter(([k, v]) => v.size > 1 || runs.some(r => r.config?.[k] === undefined) && runs.length > 1 && v.size > 0).map(([k]) => k).sort().slice(0, 12);
}

// bestNames lists the numbers that epochs have.
const bestNames = () => [...new Set([...state.runs.values()].flatMap(r => Object.keys(r.best)))].sort();
const bestName = () => $("metric").value;

function columnsOf(runs) {
  return [
    {key: "run", label: "Run", value: r => r.run, cell: r => r.run === "." ? $("dir").textContent : r.run},
    {key: "state", label: "State", value: r => r.state, cell: r => element("span", {className: "state " + r.state, textContent: r.state})},
    {key: "best", label: bestName() ? "Best " + bestName() : "Best", number: true, value: r => number(r.best[bestName()]), cell: r => shown(number(r.best[bestName()]))},
    {key: "loss", label: "Loss", number: true, value: r => number(r.loss), cell: r => shown(number(r.loss))},
    {key: "epoch", label: "Epoch", number: true, value: r => r.epoch, cell: r => shown(r.epoch)},
    {key: "step", label: "Step", number: true, value: r => r.step, cell: r => shown(r.step)},
    {key: "seconds", label: "Duration", number: true, value: r => r.seconds, cell: r => duration(r.seconds)},
    {key: "verdict", label: "Verdict", value: r => r.verdict?.headline ?? "", cell: r => r.verdict ? element("span", {className: "verdict " + r.verdict.severity, textContent: r.verdict.headline, title: r.verdict.headline}) : ""},
    ...differing(runs).map(k => ({key: "config " + k, label: k, setting: true, value: r => { const v = r.config?.[k]; return v !== undefined && v !== "" && !isNaN(v) ? Number(v) : v; }, cell: r => element("span", {className: "long", textContent: r.config?.[k] ?? "–", title: r.config?.[k]})})),
  ];
}

function visibleRuns() {
  const words = $("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  return [...state.runs.values()].filter(r => !state.hidden.has(r.run)).filter(r => {
    const text = [r.run, r.state, r.verdict?.headline, ...Object.entries(r.config ?? {}).map(([k, v]) => k + "=" + v)].join(" ").toLowerCase();
    return words.every(w => text.includes(w));
  });
}

const chosenRuns = () => visibleRuns().filter(r => state.chosen.has(r.run)).sort((a, b) => a.run < b.run ? -1 : 1);

function drawTable() {
  const runs = visibleRuns(), columns = columnsOf(runs), {key, down} = state.sort;
  const by = columns.find(c => c.key === key)?.value ?? (r => r.started);
  const missing = v => v === undefined || v === null || v === "" || Number.isNaN(v);
  runs.sort((a, b) => {
    const [x, y] = [by(a), by(b)];
    if (missing(x) || missing(y)) return missing(x) - missing(y);
    const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), undefined, {numeric: true});
    return down ? -order : order;
  });
  const focused = document.activeElement?.dataset?.focus;
  $("runs").tHead.replaceChildren(element("tr", {}, element("th", {scope: "col"}, element("span", {className: "hidden", textContent: "Shown"})),
    ...columns.map(c => {
      const b = element("button", {type: "button", textContent: c.label, onclick: () => {
        state.sort = {key: c.key, down: state.sort.key === c.key ? !state.sort.down : Boolean(c.number)};
        drawTable();
      }});
      b.dataset.focus = "sort " + c.key;
      return element("th", {scope: "col", className: (c.number ? "number" : "") + (c.setting ? " setting" : ""), "aria-sort": c.key === key ? down ? "descending" : "ascending" : undefined}, b);
    }), element("th", {scope: "col"}, element("span", {className: "hidden", textContent: "Hide"}))));
  $("runs").tBodies[0].replaceChildren(...runs.map(r => {
    const box = element("input", {type: "checkbox", checked: state.chosen.has(r.run), "aria-label": "show " + r.run, onchange: e => {
      if (e.target.checked) state.chosen.add(r.run);
      else state.chosen.delete(r.run);
      memory.set("chosen " + $("dir").textContent, [...state.chosen]);
      refresh();
    }});
    box.dataset.focus = "box " + r.run;
    box.style.accentColor = state.colors.get(r.run);
    const hide = element("button", {type: "button", className: "hide", textContent: "×", "aria-label": "hide " + r.run, title: "hide", onclick: () => {
      state.hidden.add(r.run);
      memory.set("hidden", [...state.hidden]);
      drawTable();
      refresh();
      $("filter").focus();
    }});
    hide.dataset.focus = "hide " + r.run;
    const tr = element("tr", {}, element("td", {}, box),
      ...columns.map((c, i) => element(i ? "td" : "th", {scope: i ? undefined : "row", className: c.number ? "number" : undefined}, c.cell(r))), element("td", {}, hide));
    tr.dataset.run = r.run;
    return tr;
  }));
  if (focused) document.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus();
  $("empty").hidden = state.runs.size > 0;
  const gone = [...state.hidden].filter(r => state.runs.has(r)).length;
  $("unhide").hidden = !gone;
  $("unhide").textContent = `Show ${gone} hidden`;
}

function drawMetrics() {
  const names = bestNames(), was = bestName() || memory.get("metric");
  if ($("metric").options.length === names.length) return;
  const first = names.find(n => n === was) ?? names.find(n => !/loss/.test(n)) ?? names.find(n => n === "val loss") ?? names[0];
  $("metric").replaceChildren(...names.map(n => element("option", {value: n, textContent: n, selected: n === first})));
}

// take takes rows of the table that are new or have changed, and the names of all.
function take(rows, all) {
  for (const r of rows) {
    const before = state.runs.get(r.run);
    state.runs.set(r.run, r);
    if (before && r.verdict && before.verdict?.headline !== r.verdict.headline) $("announce").textContent = `${r.run}, step ${r.verdict.run}: ${r.verdict.headline}`;
  }
  for (const name of state.runs.keys()) if (!all.includes(name)) state.runs.delete(name);
  for (const r of [...state.runs.values()].sort((a, b) => a.started - b.started || (a.run < b.run ? -1 : 1)))
    if (!state.colors.has(r.run)) state.colors.set(r.run, palette[state.colors.size % palette.length]);
  const newest = [...state.runs.values()].sort((a, b) => b.started - a.started);
  if (!state.chosen) {
    const known = memory.get("chosen " + $("dir").textContent, []).filter(r => state.runs.has(r));
    state.chosen = new Set(known.length ? known : newest.slice(0, 6).map(r => r.run));
  } else for (const r of rows) if (r.state === "running" && !state.details.has(r.run)) state.chosen.add(r.run);
  drawMetrics();
  drawTable();
}

// --- what the panels need ---

// load asks for what is known of the chosen runs.
async function load(runs) {
  await Promise.all(runs.map(async r => {
    const at = r.step + " " + r.epoch + " " + r.changed, d = state.details.get(r.run);
    if (d?.at === at && r.state !== "running") return;
    const now = await ask("api/run", {run: r.run});
    if (now) state.details.set(r.run, {...now, at});
  }));
}

let busy = false, again = false, due = null;

// showBusy says whether the panels are being drawn, or will be at once.
const showBusy = () => $("panels").setAttribute("aria-busy", String(busy || due !== null));

// refresh draws the panel that is open, once more if something changes meanwhile.
async function refresh() {
  if (busy) { again = true; return; }
  busy = true;
  showBusy();
  try {
    do {
      again = false;
      const runs = chosenRuns();
      await load(runs);
      drawVerdictsNow(runs);
      await {curves: drawCurves, flow: drawFlow, histograms: drawHistograms, mistakes: drawMistakes, program: drawProgram, pictures: drawPictures}[state.tab](runs);
    } while (again);
  } catch (e) {
    if (!(e instanceof Refused)) throw e;
    $("link").textContent = e.message;
  } finally {
    busy = false;
    showBusy();
  }
}

function drawVerdictsNow(runs) {
  const worst = {fault: 0, warning: 1, note: 2};
  const now = runs.filter(r => r.verdict && r.verdict.severity !== "note").sort((a, b) => worst[a.verdict.severity] - worst[b.verdict.severity]).slice(0, 3);
  $("verdicts-now").replaceChildren(...now.map(r => element("button", {type: "button", className: "banner " + r.verdict.severity, onclick: () => { $("flow-run").value = r.run; state.flowRun = r.run; openTab("flow"); }},
    element("b", {textContent: r.run}), " " + r.verdict.headline, element("span", {className: "more", textContent: "See where →"}))));
}

// --- curves ---

function drawNames(runs) {
  const known = [...new Set(runs.flatMap(r => state.details.get(r.run)?.names ?? []))], find = $("find").value.toLowerCase();
  const groups = {"The step": [], "Epochs": [], "Watched values": [], "Layers": [], "Params": []};
  for (const n of known) if (nameOf(n).toLowerCase().includes(find))
    groups[n.startsWith("epoch/") ? "Epochs" : n.startsWith("value/") ? "Watched values" : n.startsWith("layer/") ? "Layers" : n.startsWith("param/") ? "Params" : "The step"].push(n);
  const key = JSON.stringify([groups, [...state.records]]);
  if ($("names").dataset.key === key) return;
  $("names").dataset.key = key;
  $("names").replaceChildren(...Object.entries(groups).filter(([, names]) => names.length).map(([title, names]) => element("fieldset", {}, element("legend", {textContent: title}),
    ...names.map(n => element("label", {}, element("input", {type: "checkbox", checked: state.records.has(n), onchange: e => {
      if (e.target.checked) state.records.add(n);
      else state.records.delete(n);
      memory.set("records", [...state.records]);
      refresh();
    }}), " " + nameOf(n))))));
}

async function drawCurves(runs) {
  drawNames(runs);
  const known = new Set(runs.flatMap(r => state.details.get(r.run)?.names ?? []));
  const names = [...state.records].filter(n => known.has(n)), axis = $("axis").value, smooth = Number($("smooth").value) || undefined;
  const view = {axis, smooth, points: Math.min(1000, Math.max(200, Math.round($("cards").clientWidth / 2))), ...state.view};
  const got = new Map(await Promise.all(runs.map(async r => [r.run, await askSeries(r.run, names, view)])));
  for (const [name, card] of state.charts) if (!names.includes(name)) card.box.remove(), state.charts.delete(name);
  names.forEach((name, i) => {
    if (!state.charts.has(name)) state.charts.set(name, makeCard(name));
    const card = state.charts.get(name);
    if ($("cards").children[i] !== card.box) $("cards").insertBefore(card.box, $("cards").children[i] ?? null);
    card.lines = runs.filter(r => got.get(r.run)[name]).map(r => {
      const {raw, smooth: soft} = got.get(r.run)[name], main = soft ?? raw;
      return {run: r.run, color: state.colors.get(r.run), x: main[axis] ?? [], y: (main.y ?? []).map(number), raw: (raw.y ?? []).map(number),
        faintX: soft && raw[axis], faintY: soft && (raw.y ?? []).map(number)};
    });
    card.chart.set(card.lines, {axis, logX: $("log-x").checked, logY: $("log-y").checked, ...state.view});
    drawValues(card);
  });
  $("reset").hidden = state.view.from === undefined;
}

function makeCard(name) {
  const title = nameOf(name), canvas = element("canvas", {tabIndex: 0, role: "img"});
  const body = element("tbody"), place = element("th", {scope: "col", className: "number"});
  const box = element("article", {className: "card"}, element("h3", {textContent: title}), canvas,
    element("table", {className: "values"}, element("caption", {className: "hidden", textContent: title + ", values"}),
      element("thead", {}, element("tr", {}, element("th", {scope: "col", textContent: "run"}), place, element("th", {scope: "col", className: "number", textContent: "least"}), element("th", {scope: "col", className: "number", textContent: "most"}))), body));
  box.dataset.record = name;
  const chart = new Chart(canvas, x => {
    state.cursor = x;
    for (const card of state.charts.values()) card.chart.point(x), drawValues(card);
  }, (from, to) => {
    state.view = from === undefined ? {} : {from, to};
    refresh();
  });
  return {name, box, canvas, chart, body, place, lines: []};
}

// drawValues fills the table below a curve: the values at the pointer, or the last ones.
function drawValues(card) {
  const axis = $("axis").value, x = state.cursor;
  card.place.textContent = x === null ? "last" : "at " + (axis === "seconds" ? duration(Math.max(x, 0)) : `${axis} ${shown(axis === "step" ? Math.round(x) : Number(x.toFixed(2)))}`);
  card.body.replaceChildren(...card.lines.map(l => {
    const i = x === null ? l.y.length - 1 : nearest(l.x, x), finite = l.raw.filter(v => v !== null && Number.isFinite(v));
    const swatch = element("span", {className: "swatch", "aria-hidden": "true"});
    swatch.style.background = l.color;
    return element("tr", {}, element("th", {scope: "row"}, swatch, l.run), ...[l.y[i], finite.length ? finite.reduce((a, b) => Math.min(a, b)) : null, finite.length ? finite.reduce((a, b) => Math.max(a, b)) : null]
      .map(v => element("td", {className: "number", textContent: shown(v)})));
  }));
  card.canvas.setAttribute("aria-label", `${nameOf(card.name)}: ` + (card.lines.map(l => `${l.run} ${shown(l.y.at(-1))}`).join(", ") || "nothing") + ". The table below has the values.");
}

// --- flow ---

const flowMap = new HeatMap($("flow-map"), text => { $("flow-value").textContent = text; }, "layers by depth against time; the arrow keys read values");
const overTime = new Map();

// chooseRun fills a list of runs and returns the one that is chosen.
function chooseRun(select, runs, was) {
  const key = runs.map(r => r.run).join("\n");
  if (select.dataset.key !== key) {
    select.dataset.key = key;
    select.replaceChildren(...runs.map(r => element("option", {value: r.run, textContent: r.run})));
  }
  const first = runs.find(r => r.run === was) ?? runs.find(r => r.verdict?.severity === "fault") ?? runs.find(r => r.verdict) ?? runs[0];
  if (first) select.value = first.run;
  return first?.run;
}

async function drawFlow(runs) {
  const run = state.flowRun = chooseRun($("flow-run"), runs, state.flowRun), d = state.details.get(run);
  for (const o of $("measure").options) o.hidden = flowMeasures[o.value].rank && !d?.header?.ranks;
  if ($("measure").selectedOptions[0]?.hidden) $("measure").value = "gradNorm";
  const name = $("measure").value, measure = flowMeasures[name];
  if (!run || !d?.header) {
    flowMap.set({rows: [], x: [], values: []}, measure);
    $("flow-legend").replaceChildren();
    $("verdicts").replaceChildren(element("li", {className: "quiet", textContent: "This run has no records of its layers: it was not watched."}));
    $("now").tBodies[0].replaceChildren();
    $("recurrent").replaceChildren();
    return;
  }
  const flow = await ask("api/flow", isExported ? {run, measure: name} : {run, measure: name, points: Math.max(50, Math.round($("flow-map").clientWidth / 4))});
  const layerOf = path => {
    const exact = flow.rows.findIndex(r => r === path);
    return exact >= 0 ? exact : flow.rows.findIndex(r => r.startsWith(path + ".") || path.startsWith(r + "."));
  };
  const values = flow.values.map(row => (row ?? []).map(number)), verdicts = d.verdicts.filter(v => v.rule);
  const pins = measure.rank ? [] : verdicts.flatMap((v, i) => {
    const rows = (v.layers ?? []).map(layerOf).filter(r => r >= 0);
    return (rows.length ? [...new Set(rows)] : [0]).slice(0, 8).map(row => ({row, x: v.run, name: String(i + 1), severity: v.severity, text: `verdict ${i + 1}: ${v.headline}`, chosen: () => showVerdict(i)}));
  });
  flowMap.set({rows: flow.rows, x: flow.step ?? [], axis: "step", values}, measure, pins);
  flowMap.legend($("flow-legend"), measure.label);
  drawVerdicts(verdicts);
  drawNow(d, flow, values, measure);
  await drawRecurrent(run, d.recurrent ?? []);
}

function drawVerdicts(verdicts) {
  const key = JSON.stringify(verdicts);
  if ($("verdicts").dataset.key === key && $("verdicts").childElementCount) return;
  $("verdicts").dataset.key = key;
  $("verdicts").replaceChildren(...verdicts.map((v, i) => element("li", {id: "verdict-" + i, tabIndex: -1, className: v.severity},
    element("strong", {textContent: v.headline}), element("p", {textContent: `${v.severity} at step ${v.run}` + (v.layers?.length ? `, in ${v.layers.join(", ")}` : "")}), element("p", {textContent: v.evidence}),
    v.remedies?.length ? element("p", {className: "quiet", textContent: "What is likely to help, the likeliest first:"}) : null,
    v.remedies?.length ? element("ul", {}, ...v.remedies.map(r => element("li", {textContent: r}))) : null)));
  if (!verdicts.length) $("verdicts").replaceChildren(element("li", {className: "quiet", textContent: "None is recorded."}));
}

function showVerdict(i) {
  const li = $("verdict-" + i);
  li.scrollIntoView({block: "nearest", behavior: "smooth"});
  li.focus({preventScroll: true});
}

// drawNow is the last column of the map as a table, which needs no eyes for colors.
function drawNow(d, flow, values, measure) {
  const layers = new Map(d.header.layers.map(l => [l.path, l])), params = new Map(d.header.params.map(p => [p.name, p])), ranks = measure.rank && d.header.ranks;
  $("now").tHead.replaceChildren(element("tr", {}, ...(ranks ? ["rank", "host", "shards", measure.label] : ["layer", "operation", "shape", measure.label]).map((t, i) => element("th", {scope: "col", className: i === 3 ? "number" : undefined, textContent: t})), element("td", {})));
  const last = values.map(row => row.at(-1)), size = v => measure.log ? Math.log10(v) : Math.abs(v);
  const finite = last.filter(v => v !== null && Number.isFinite(v) && (!measure.log || v > 0)).map(size), low = measure.log ? Math.min(...finite) - 0.5 : 0, high = measure.share ? 1 : Math.max(...finite);
  $("now").tBodies[0].replaceChildren(...flow.rows.map((name, i) => {
    const l = layers.get(name), p = params.get(name), meter = element("div", {className: "meter", "aria-hidden": "true"}), v = last[i];
    meter.style.width = v !== null && Number.isFinite(v) && high > low && (!measure.log || v > 0) ? Math.max(2, 100 * (size(v) - low) / (high - low)) + "%" : 0;
    return element("tr", {}, element("th", {scope: "row", textContent: name}), element("td", {textContent: ranks ? ranks[i].host : l ? l.op + (l.activation ? ", " + l.activation : "") : "weights"}), element("td", {textContent: ranks ? `${ranks[i].first} to ${ranks[i].end - 1}` : (l ?? p)?.shape.join(" × ") ?? ""}),
      element("td", {className: "number", textContent: shown(v)}), element("td", {className: "bars"}, meter));
  }));
}

async function drawRecurrent(run, layers) {
  const key = run + "\n" + layers.join("\n");
  if ($("recurrent").dataset.key !== key) {
    $("recurrent").dataset.key = key;
    overTime.clear();
    $("recurrent").replaceChildren(...layers.map(layer => {
      const box = element("div", {className: "map"}), value = element("output", {className: "value", "aria-live": "polite"}), legend = element("div", {className: "legend"});
      const section = element("section", {}, element("h3", {textContent: `${layer}: gradient that arrives at each time step of the sequence`}), value, box, legend);
      overTime.set(layer, {map: new HeatMap(box, text => { value.textContent = text; }, `${layer}, gradient by time step`), legend});
      return section;
    }));
  }
  for (const [layer, {map, legend}] of overTime) {
    const h = await ask("api/flow", {run, layer}), measure = {log: true};
    map.set({rows: h.rows ?? [], x: h.step ?? [], axis: "step", values: (h.values ?? []).map(row => row.map(number))}, measure);
    map.legend(legend, "gradient norm");
  }
}

// --- histograms and pictures ---

const histogramMap = new Histograms($("histogram-map"), text => { $("histogram-value").textContent = text; });

async function drawHistograms(runs) {
  const run = state.histogramRun = chooseRun($("histogram-run"), runs, state.histogramRun), names = state.details.get(run)?.histograms ?? [], was = $("histogram-name").value;
  $("no-histograms").hidden = names.length > 0;
  $("histogram-map").hidden = !names.length;
  if ($("histogram-name").dataset.key !== names.join("\n")) {
    $("histogram-name").dataset.key = names.join("\n");
    $("histogram-name").replaceChildren(...names.map(n => element("option", {value: n, textContent: n.replace("/", " of ")})));
    if (names.includes(was)) $("histogram-name").value = was;
  }
  if (names.length) histogramMap.set((await ask("api/histograms", {run, name: $("histogram-name").value}) ?? []).map(h => ({...h, limits: h.limits.map(number)})));
}

// drawMistakes shows the classes of the validation set against what they were taken for.
function drawMistakes(runs) {
  const run = state.mistakesRun = chooseRun($("mistakes-run"), runs, state.mistakesRun), c = state.details.get(run)?.confusion, counts = c?.counts ?? [];
  $("no-mistakes").hidden = counts.length > 0;
  for (const part of document.querySelectorAll("#mistakes .columns")) part.hidden = !counts.length;
  const sums = counts.map(row => row.reduce((a, b) => a + b, 0)), all = sums.reduce((a, b) => a + b, 0), right = counts.reduce((n, row, i) => n + row[i], 0);
  $("mistakes-total").textContent = counts.length ? `${right} of ${all} examples are right after epoch ${c.epoch}` : "";
  $("confusion").tHead.replaceChildren(element("tr", {}, element("th", {scope: "col", textContent: "class"}), ...counts.map((_, p) => element("th", {scope: "col", className: "number", textContent: p})), element("th", {scope: "col", className: "number", textContent: "right"})));
  $("confusion").tBodies[0].replaceChildren(...counts.map((row, t) => element("tr", {}, element("th", {scope: "row", textContent: t}), ...row.map((n, p) => {
    const cell = element("td", {className: "number " + (t === p ? "right" : n ? "mistake" : "quiet"), textContent: n, title: `${n} of ${sums[t]} of class ${t} were taken for ${p}`});
    if (n) cell.style.setProperty("--share", Math.round(100 * Math.sqrt(n / sums[t])) + "%"); // the root shows small shares too
    return cell;
  }), element("td", {className: "number", textContent: sums[t] ? (100 * row[t] / sums[t]).toFixed(1) + " %" : "–"}))));
  const pairs = counts.flatMap((row, t) => row.map((n, p) => ({t, p, n}))).filter(x => x.t !== x.p && x.n > 0).sort((a, b) => b.n - a.n).slice(0, 10);
  $("pairs").replaceChildren(...pairs.map(({t, p, n}) => element("li", {textContent: `${t} taken for ${p}: ${n} of ${sums[t]}, ${(100 * n / sums[t]).toFixed(1)} %`})));
  if (!pairs.length) $("pairs").replaceChildren(element("li", {className: "quiet", textContent: "There is none."}));
}

// inBytes and inTime write numbers with three digits and a unit.
const withUnit = (x, units, base) => { let i = 0; while (x >= base && i < units.length - 1) { x /= base; i++; } return `${x >= 100 || x === Math.round(x) ? Math.round(x) : x.toPrecision(3)} ${units[i]}`; };
const inBytes = x => withUnit(x, ["bytes", "KiB", "MiB", "GiB", "TiB"], 1024);
const inTime = s => withUnit(s * 1e9, ["ns", "µs", "ms", "s"], 1000);

// drawProgram shows what the program that trains consists of, how long its steps take, and what memory it has.
function drawProgram(runs) {
  const run = state.programRun = chooseRun($("program-run"), runs, state.programRun), p = state.details.get(run)?.program, steps = p?.steps ?? [], order = $("program-order").value;
  $("no-program").hidden = steps.length > 0;
  for (const part of document.querySelectorAll("#program .columns")) part.hidden = !steps.length;
  const sum = key => steps.reduce((n, s) => n + s[key], 0), all = sum("seconds");
  $("program-total").textContent = steps.length ? `${inTime(all)}, ${withUnit(sum("flops"), ["operations", "thousand operations", "million operations", "billion operations"], 1000)} and ${inBytes(sum("bytes"))} in ${steps.length} steps, the median of ${p.timed} runs` : "";
  const shown = order ? [...steps].sort((a, b) => b[order] - a[order]) : steps;
  $("steps").tHead.replaceChildren(element("tr", {}, ...["share", "time", "read and written", "operations a second"].map(textContent => element("th", {scope: "col", className: "number", textContent})), element("th", {scope: "col", textContent: "what it does"}), element("th", {scope: "col", textContent: "where"})));
  $("steps").tBodies[0].replaceChildren(...shown.slice(0, 100).map(s => {
    const share = element("td", {className: "number share", textContent: all ? (100 * s.seconds / all).toFixed(1) + " %" : "–"});
    share.style.setProperty("--share", (all ? Math.round(100 * s.seconds / all) : 0) + "%");
    return element("tr", {}, share, element("td", {className: "number", textContent: inTime(s.seconds)}), element("td", {className: "number", textContent: inBytes(s.bytes)}),
      element("td", {className: "number", textContent: s.seconds > 0 ? withUnit(s.flops / s.seconds, ["", "K", "M", "G", "T"], 1000) : "–"}), element("td", {textContent: s.work}), element("td", {className: "quiet", textContent: s.place}));
  }));
  const parts = p ? {"values of a run": p.arena, "weights and the optimizer's states": p.params, "batch": p.inputs, "results": p.outputs} : {};
  $("memory").tBodies[0].replaceChildren(...Object.entries(parts).map(([name, n]) => element("tr", {}, element("th", {scope: "row", textContent: name}), element("td", {className: "number", textContent: inBytes(n)}))));
}

function drawPictures(runs) {
  const all = runs.flatMap(r => r.pictures.map(name => ({run: r.run, name, at: r.changed}))).filter(p => pictureURL(p.run, p.name)), key = JSON.stringify(all);
  $("no-pictures").hidden = all.length > 0;
  if ($("gallery").dataset.key === key) return;
  $("gallery").dataset.key = key;
  $("gallery").replaceChildren(...all.map(p => element("figure", {className: "card"}, element("img", {src: pictureURL(p.run, p.name) + (isExported ? "" : "&at=" + p.at), alt: `${p.name} of ${p.run}`, loading: "lazy"}), element("figcaption", {textContent: `${p.run}: ${p.name}`}))));
}

// --- tabs, theme, start ---

const tabs = [...document.querySelectorAll("[role=tab]")];

function openTab(name, focus) {
  state.tab = name;
  history.replaceState(null, "", "#show=" + name);
  for (const t of tabs) {
    const on = t.id === "tab-" + name;
    t.setAttribute("aria-selected", on);
    t.tabIndex = on ? 0 : -1;
    $(t.getAttribute("aria-controls")).hidden = !on;
    if (on && focus) t.focus();
  }
  refresh();
}

const dark = matchMedia("(prefers-color-scheme: dark)");

function setTheme(choice) {
  const is = choice ?? (dark.matches ? "dark" : "light");
  document.documentElement.dataset.theme = is;
  $("theme").textContent = is === "dark" ? "Light look" : "Dark look";
  for (const card of state.charts.values()) card.chart.draw();
  flowMap.draw();
  histogramMap.draw();
  for (const {map} of overTime.values()) map.draw();
}

function start() {
  setTheme(memory.get("theme"));
  dark.onchange = () => setTheme(memory.get("theme"));
  $("theme").onclick = () => {
    memory.set("theme", document.documentElement.dataset.theme === "dark" ? "light" : "dark");
    setTheme(memory.get("theme"));
  };
  $("measure").replaceChildren(...Object.entries(flowMeasures).map(([k, m]) => element("option", {value: k, textContent: m.label})));
  $("filter").oninput = () => { drawTable(); refresh(); };
  $("metric").onchange = () => { memory.set("metric", bestName()); drawTable(); };
  $("unhide").onclick = () => { state.hidden.clear(); memory.set("hidden", []); drawTable(); refresh(); };
  $("axis").onchange = $("reset").onclick = () => { state.view = {}; state.cursor = null; refresh(); };
  $("smooth").oninput = () => { $("smooth-value").textContent = $("smooth").value; refresh(); };
  for (const id of ["log-x", "log-y", "measure", "histogram-name"]) $(id).onchange = refresh;
  $("find").oninput = () => drawNames(chosenRuns());
  $("flow-run").onchange = e => { state.flowRun = e.target.value; refresh(); };
  $("program-run").onchange = e => { state.programRun = e.target.value; refresh(); };
  $("program-order").onchange = () => refresh();
  $("mistakes-run").onchange = e => { state.mistakesRun = e.target.value; refresh(); };
  $("histogram-run").onchange = e => { state.histogramRun = e.target.value; refresh(); };
  document.addEventListener("pointerdown", e => { if (!$("picker").contains(e.target)) $("picker").open = false; });
  $("picker").onkeydown = e => { if (e.key === "Escape") $("picker").open = false, $("picker").querySelector("summary").focus(); };
  for (const [i, t] of tabs.entries()) {
    t.onclick = () => openTab(t.id.slice(4));
    t.onkeydown = e => {
      const to = {ArrowLeft: i - 1, ArrowRight: i + 1, Home: 0, End: tabs.length - 1}[e.key];
      if (to !== undefined) e.preventDefault(), openTab(tabs.at(to % tabs.length).id.slice(4), true);
    };
  }
  begin();
}

// begin reads the table, and follows what changes.
async function begin() {
  let first;
  try {
    first = await ask("api/runs");
  } catch (e) {
    if (!(e instanceof Refused)) throw e;
    $("link").textContent = e.message;
    return;
  }
  $("dir").textContent = first.dir;
  document.title = first.dir + " – Tarn board";
  take(first.runs, first.runs.map(r => r.run));
  const asked = location.hash.replace("#show=", "");
  openTab(tabs.some(t => t.id === "tab-" + asked) ? asked : "curves");
  follow(({runs, all}) => {
    take(runs ?? [], all ?? []);
    due ??= setTimeout(() => { due = null; refresh(); }, 300);
    showBusy();
  }, is => {
    if ($("link").textContent === is) return; // so that it is not read aloud again
    $("link").textContent = is;
    $("link").className = is;
  });
}

start();
