"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const root = document.documentElement;
const color = name => getComputedStyle(root).getPropertyValue(name).trim();
const grouped = number => number.toLocaleString("en-US", {maximumFractionDigits: number < 100 ? 2 : 0});

// 12.3 us, 4.56 ms, 1.2 s: three digits, whatever the size.
function duration(us) {
  if (us === null || us === undefined) return "-";
  const [value, unit] = us < 1 ? [us * 1e3, "ns"] : us < 1e3 ? [us, "us"] : us < 1e6 ? [us / 1e3, "ms"] : [us / 1e6, "s"];
  return Number(value.toPrecision(3)) + " " + unit;
}
const short = number => number >= 1e6 ? Number((number / 1e6).toPrecision(3)) + "M"
                      : number >= 1e4 ? Number((number / 1e3).toPrecision(3)) + "k" : Number(number.toPrecision(3)).toString();
const percent = share => Number((share * 100).toFixed(6)) + " %";

// The histogram that is shown second by second, and what it is called.
const first = data.first;
const shown = name => name.replaceAll("_", " ");

function element(kind, text, parent) {
  const made = document.createElement(kind);
  made.textContent = text;
  parent.append(made);
  return made;
}

function head() {
  const {command, configuration, environment, results} = data;
  const given = Object.entries(configuration).map(([name, value]) => "--" + name + (value === true ? "" : " " + value));
  document.title = `ringpost ${command} ${environment.started_at ?? ""}`;
  document.querySelector("h1").textContent = ["ringpost", command, ...given].join(" ");
  document.querySelector("p").textContent = [environment.started_at, environment.cpu,
    environment.cores && `${environment.cores} cores`, environment.kernel && `Linux ${environment.kernel}`,
    environment.backend, environment.ringpost && `ringpost ${environment.ringpost}`].filter(Boolean).join(" · ");
  const cards = document.querySelector(".cards");
  const card = (label, value, bad) => {
    const box = element("div", "", cards);
    element("b", value, box);
    element("span", label, box);
    box.classList.toggle("bad", Boolean(bad));
  };
  card("sent", grouped(results.sent));
  card("sent per second", grouped(results.rate_per_s));
  if (data.hears)
    card("lost", results.sent ? Number((100 * results.lost / results.sent).toPrecision(3)) + " %" : "-", results.lost > 0);
  if (first === undefined) return;
  const times = results[first === "response" ? "rtt_us" : first + "_us"];
  for (const [name, label] of [["p50", "p50"], ["p90", "p90"], ["p99", "p99"], ["p999", "p99.9"], ["p9999", "p99.99"],
                               ["max", "longest"]])
    card(`${label} ${shown(first)}`, duration(times?.[name]));
}

const palette = ["--one", "--two", "--three", "--four"];
let charts = [];

// A chart in a card of its own. `lines` are {label, values, color}.
function chart(title, x, lines, {x_axis = {}, y_axis = {}, scales = {}, value}) {
  const section = element("section", "", document.querySelector(".charts"));
  element("h2", title, section);
  const axis = {stroke: color("--faint"), grid: {stroke: color("--grid"), width: 1}, ticks: {stroke: color("--grid"), width: 1},
                font: "12px system-ui, sans-serif"};
  const single = x.length === 1;  // one point makes no line
  const made = new uPlot({
    width: section.clientWidth - 24, height: 260, padding: [8, 32, 0, 0],
    scales: {x: {time: false, range: (_, low, high) => [0, high]}, ...scales},
    cursor: {points: {size: 6}},
    axes: [{...axis, ...x_axis}, {...axis, size: 66, ...y_axis}],
    series: [x_axis.series ?? {label: "second", value: (_, at) => at === null || at === undefined ? "-" : at.toFixed(1)},
      ...lines.map((line, i) => ({label: line.label, stroke: color(line.color ?? palette[i]), width: 1.5,
                                  fill: line.fill ? color(line.color ?? palette[i]) + "33" : undefined,
                                  points: {show: single || undefined, size: 5},
                                  value: (_, at) => at === null || at === undefined ? "-" : value(at)}))],
  }, [x, ...lines.map(line => line.values)], section);
  charts.push({made, section});
}

// A logarithmic scale from a power of ten to a power of ten, so that there are at least two labels.
function decades(lines) {
  const values = lines.flatMap(line => line.values).filter(value => value > 0);
  if (values.length === 0) return {};
  const low = Math.floor(Math.log10(Math.min(...values))), high = Math.ceil(Math.log10(Math.max(...values)));
  return {distr: 3, range: [10 ** low, 10 ** Math.max(high, low + 1)]};
}
const positive = values => values.map(value => value > 0 ? value : null);  // a logarithm has no zero
const in_decades = {values: (_, splits) => splits.map(at => at !== null && Number.isInteger(Math.round(Math.log10(at) * 1e6) / 1e6)
                                                       ? duration(at) : null)};
const from_zero = least => ({range: (_, low, high) => [0, Math.max(high * 1.1, least)]});

function draw() {
  for (const {made, section} of charts) {
    made.destroy();
    section.remove();
  }
  charts = [];
  const seconds = {values: (_, splits) => splits.map(at => at + " s")};
  chart("Datagrams per second", data.elapsed_s, [
    {label: "sent", values: data.sent_per_s, fill: true},
    ...data.hears ? [{label: "received", values: data.received_per_s}] : []],
    {x_axis: seconds, y_axis: {values: (_, splits) => splits.map(short)}, scales: {y: from_zero(1)}, value: grouped});
  chart("Lost, and where", data.elapsed_s, [
    ...data.hears ? [{label: "on the path", values: data.lost_path_percent, color: "--bad", fill: true},
                     {label: "in receive buffers", values: data.lost_receive_buffer_percent, color: "--two"}] : [],
    {label: "in our send queue", values: data.lost_send_queue_percent, color: "--four"}],
    {x_axis: seconds, y_axis: {values: (_, splits) => splits.map(at => at + " %")}, scales: {y: from_zero(0.1)},
     value: at => percent(at / 100)});
  chart("Processor time of the sender", data.elapsed_s, [{label: "of a core", values: data.cpu_percent}],
    {x_axis: seconds, y_axis: {values: (_, splits) => splits.map(at => at + " %")}, scales: {y: from_zero(10)},
     value: at => percent(at / 100)});
  if (first === undefined) return;
  const times = data.recordings[first];
  const over_time = [{label: "p50", values: positive(times.p50_us)}, {label: "p99", values: positive(times.p99_us)},
    {label: "p99.9", values: positive(times.p999_us)}, {label: "longest", values: positive(times.max_us)}];
  chart(`Time of ${shown(first)}, second by second`, data.elapsed_s, over_time,
    {x_axis: seconds, y_axis: in_decades, scales: {y: decades(over_time)}, value: duration});

  // The spectrum's x is 1 / (1 - share): every decade is one nine more. 100 % has no place there: the last share below it is
  // the end.
  const points = Object.entries(data.recordings).map(([name, {spectrum}]) => [name, spectrum.filter(([share]) => share < 1)]);
  const x = [...new Set(points.flatMap(([, spectrum]) => spectrum.map(([share]) => 1 / (1 - share))))].sort((a, b) => a - b);
  const lines = points.map(([name, spectrum]) => {
    const at = new Map(spectrum.map(([share, us]) => [1 / (1 - share), us]));
    return {label: shown(name), values: positive(x.map(each => at.get(each) ?? null))};
  });
  const share_text = each => each <= 1 ? "0 %" : percent(1 - 1 / each);
  const nines = {values: (_, splits) => splits.map(each => each !== null && Number.isInteger(Math.round(Math.log10(each) * 1e6) / 1e6)
                                                            ? share_text(each) : null),
                 series: {label: "share", value: (_, each) => each === null || each === undefined ? "-" : share_text(each)}};
  chart("Percentile spectrum", x.length > 0 ? x : [1], lines,
    {x_axis: nines, y_axis: in_decades, scales: {x: {time: false, distr: 3, range: (_, low, high) => [1, Math.max(high, 10)]}, y: decades(lines)}, value: duration});
}

// For whoever asks whether all of it was drawn.
function count_drawn() {
  return charts.filter(({made}) => {
    const {width, height} = made.ctx.canvas;
    return made.ctx.getImageData(0, 0, width, height).data.some(byte => byte !== 0);
  }).length;
}

head();
draw();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
let width = innerWidth;
addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; draw(); } });
addEventListener("load", () => { root.dataset.drawn = count_drawn(); });
