// Where the data come from: the server, or the page itself if it is an exported file.

const inlinedData = document.getElementById("data");
const answers = inlinedData && JSON.parse(inlinedData.textContent);
export const isExported = Boolean(answers);

// Refused is the error of a server that is gone, or that does not answer a question.
export class Refused extends Error {}

// ask returns what the server answers, or what the page has in the place of it.
export async function ask(path, params = {}) {
  const pairs = Object.entries(params).filter(([, v]) => v !== undefined);
  if (answers) return answers[path + (pairs.length ? "?" + pairs.map(([k, v]) => k + "=" + v).join("&") : "")] ?? null;
  const query = new URLSearchParams();
  for (const [k, v] of pairs) for (const one of [v].flat()) query.append(k, one);
  let reply, text;
  try {
    reply = await fetch(path + "?" + query);
    text = await reply.text();
  } catch { // the server is gone, maybe in the middle of its answer
    throw new Refused("offline");
  }
  if (!reply.ok) throw new Refused(text);
  return JSON.parse(text);
}

// askSeries returns records of a run within a view: {name: {raw, smooth}}, each with step, epoch, seconds and y.
export async function askSeries(run, names, view) {
  if (!answers) {
    const all = {};
    for (let i = 0; i < names.length; i += 100)
      Object.assign(all, await ask("api/series", {run, name: names.slice(i, i + 100), ...view}));
    return all;
  }
  const found = {};
  for (const name of names) {
    const s = answers[`api/series?run=${run}&name=${name}`];
    if (s?.step) found[name] = {raw: part(s, view), smooth: view.smooth ? part({...s, y: movingAverage(s.y, view.smooth)}, view) : undefined};
  }
  return found;
}

// part returns the points of a series within a view.
function part(s, view) {
  const x = s[view.axis];
  const at = [...x.keys()].filter(i => (view.from === undefined || x[i] >= view.from) && (view.to === undefined || x[i] <= view.to));
  return Object.fromEntries(["step", "epoch", "seconds", "y"].map(k => [k, at.map(i => s[k][i])]));
}

// movingAverage is what the server computes: an exponential moving average without the bias to its start.
function movingAverage(y, past) {
  let sum = 0, weight = 0;
  return y.map(v => {
    if (typeof v !== "number") return v;
    sum = past * sum + (1 - past) * v;
    weight = past * weight + (1 - past);
    return sum / weight;
  });
}

// pictureURL is the address of a picture of a run.
export function pictureURL(run, name) {
  if (answers) return answers[`api/picture?run=${run}&name=${name}`];
  return "api/picture?" + new URLSearchParams({run, name});
}

// follow calls changed with each event of the server, and link when the connection comes, with its first event, and goes.
export function follow(changed, link) {
  if (answers) return link("exported");
  const events = new EventSource("api/events");
  events.onerror = () => link("offline");
  events.onmessage = e => { link("live"); changed(JSON.parse(e.data)); };
}

// number returns a value as JSON has it as a number: what is not finite is a string there.
export const number = v => typeof v === "string" ? {"NaN": NaN, "+Inf": Infinity, "-Inf": -Infinity}[v] : v;

// shown returns a number as people read it.
export function shown(v) {
  if (v === null || v === undefined) return "–";
  if (!Number.isFinite(v)) return Number.isNaN(v) ? "NaN" : v > 0 ? "∞" : "−∞";
  const size = Math.abs(v);
  if (Number.isInteger(v) && size < 1e7) return String(v).replace("-", "−");
  const text = size !== 0 && (size < 1e-3 || size >= 1e6) ? v.toExponential(2) : String(Number(v.toPrecision(4)));
  return text.replace("-", "−").replace("e-", "e−").replace("e+", "e");
}

// duration returns seconds as people read them.
export function duration(s) {
  if (s < 60) return shown(Number(s.toPrecision(3))) + " s";
  if (s < 3600) return `${Math.floor(s / 60)} min ${Math.floor(s % 60)} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} min`;
}

// element makes an element with properties and children.
export function element(tag, props = {}, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(props)) {
    if (v === undefined || v === null) continue;
    if (k.startsWith("on")) e[k] = v;
    else if (k in e && !k.startsWith("aria") && k !== "role") e[k] = v;
    else e.setAttribute(k, v);
  }
  e.append(...children.filter(c => c !== null && c !== undefined));
  return e;
}
