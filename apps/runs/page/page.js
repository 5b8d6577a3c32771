"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const root = document.documentElement;
const color = name => getComputedStyle(root).getPropertyValue(name).trim();
const grouped = number => number.toLocaleString("en-US", {maximumFractionDigits: number < 100 ? 2 : 0});

// 12.3 us, 4.56 ms, 1.2 s: three significant digits.
function duration(us) {
  if (us === null || us === undefined) return "-";
  const [value, unit] = us < 1 ? [us * 1e3, "ns"] : us < 1e3 ? [us, "us"] : us < 1e6 ? [us / 1e3, "ms"] : [us / 1e6, "s"];
  return Number(value.toPrecision(3)) + " " + unit;
}
const short = number => number >= 1e6 ? Number((number / 1e6).toPrecision(3)) + "M"
                      : number >= 1e4 ? Number((number / 1e3).toPrecision(3)) + "k" : Number(number.toPrecision(3)).toString();
const percent = share => Number((share * 100).toFixed(6)) + " %";

const first = data.first;  // the histogram shown second by second
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
  if (results.received !== undefined)
    card("lost", results.sent ? Number((100 * results.lost / results.sent).toPrecision(3)) + " %" : "-", results.lost > 0);
  if (first === undefined) return;
  const times = results[first === "response" ? "rtt_us" : first + "_us"];
  for (const [name, label] of [["p50", "p50"], ["p90", "p90"], ["p99", "p99"], ["p999", "p99.9"], ["p9999", "p99.99"],
                               ["max", "max"]])
    card(`${label} ${shown(first)}`, duration(times?.[name]));
}

const palette = ["--one", "--two", "--three", "--four"];
let charts = [];

// Lines that stand out; all others take the palette in turn.
const looks = {sent: {fill: true}, refused: {color: "--four"}, lost_receive_buffer: {color: "--two"},
               lost_path: {color: "--bad", fill: true}};

// Adds a chart in a section of its own. `lines` are {name, label, values}.
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
      ...lines.map((line, i) => {
        const look = looks[line.name] ?? {}, stroke = color(look.color ?? palette[i % palette.length]);
        return {label: line.label, stroke, width: 1.5, fill: look.fill ? stroke + "33" : undefined,
                points: {show: single || undefined, size: 5},
                value: (_, at) => at === null || at === undefined ? "-" : value(at)};
      })],
  }, [x, ...lines.map(line => line.values)], section);
  charts.push({made, section});
}

// A logarithmic scale over whole decades, so that there are at least two labels.
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
  const units = {per_second: {axis: short, value: grouped},
                 percent: {axis: at => at + " %", value: at => percent(at / 100)}};
  for (const {title, unit, y_max_least, lines} of data.charts)
    chart(title, data.elapsed_s, lines,
      {x_axis: seconds, y_axis: {values: (_, splits) => splits.map(units[unit].axis)}, scales: {y: from_zero(y_max_least)},
       value: units[unit].value});
  if (first === undefined) return;
  const over_time = data.recordings[first].lines.map(line => ({...line, values: positive(line.values)}));
  chart(`${shown(first)} time, second by second`, data.elapsed_s, over_time,
    {x_axis: seconds, y_axis: in_decades, scales: {y: decades(over_time)}, value: duration});

  // The spectrum's x axis is 1 / (1 - share), so each decade adds a nine. It cannot show 100 %, and ends at the last share
  // below.
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

// The number of charts with any pixel drawn; tests read it.
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
