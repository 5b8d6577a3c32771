"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const root = document.documentElement;
const color = name => getComputedStyle(root).getPropertyValue(name).trim();
const grouped = number => number.toLocaleString("en-US", {maximumFractionDigits: number < 100 ? 2 : 0});

// 12.3 µs, 4.56 ms, 1.2 s: three significant digits.
function duration(us) {
  if (us === null || us === undefined) return "-";
  const [value, unit] = us < 1 ? [us * 1e3, "ns"] : us < 1e3 ? [us, "µs"] : us < 1e6 ? [us / 1e3, "ms"] : [us / 1e6, "s"];
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

// The names of the percentiles among the results, and how they are shown.
const percentiles = [["p50", "p50"], ["p90", "p90"], ["p95", "p95"], ["p99", "p99"],
  ["p999", "p99.9"], ["p9999", "p99.99"], ["max", "max"]];

// The verdict in words: [title, "good", "bad" or "", explanations].
function verdict({valid, invalid_reason, breached, undecided, stands, lateness_us, due}) {
  const late = percentiles.filter(([name]) => stands?.[name] === false).map(([name, label]) =>
    `${label} includes ` + (lateness_us?.[name] ? `up to ${duration(lateness_us[name])} of ` : "") + "lateness of the sender");
  const listed = (title, texts) => (texts ?? []).map(text => title + text.replaceAll(" us", " µs"));
  const bounds = [...listed("Breached: ", breached), ...listed("Cannot tell: ", undecided)];
  if (valid === false) return ["INVALID", "bad", [(invalid_reason ?? "no reason is given").replaceAll(" us", " µs"), ...bounds, ...late]];
  if (breached?.length > 0) return ["BOUNDS BREACHED", "bad", [...bounds, ...late]];
  if (undecided?.length > 0) return ["CANNOT TELL", "", [...bounds, ...late]];
  if (valid === undefined) return ["NOT JUDGED", "", ["The run had no schedule that the sender could have missed."]];
  const kept = due === undefined ? "Each reply belongs to its probe" : "The sender kept its schedule";
  return ["VALID", "good", [kept + (breached ? ", and no bound is breached." : "."), ...late]];
}

function show_verdict(results) {
  const [title, kind, explanations] = verdict(results), box = document.getElementById("verdict");
  box.className = kind;
  box.querySelector("b").textContent = title;
  for (const text of explanations) element("p", text, box);
  return title;
}

function environment_text({environment, results}) {
  const {started_at, cpu, cores, governor, kernel, machine, backend, clock, ringpost} = environment;
  return [started_at?.replace("T", " ").replace("Z", " UTC"), cpu, cores && `${cores} cores`, governor && `governor ${governor}`,
          kernel && `Linux ${kernel}`, machine, backend, clock?.source && `clock ${clock.source}`,
          ringpost && `ringpost ${ringpost}`].filter(Boolean).join(" · ");
}

// Counts of kinds of datagrams; bad ones are red when there are any.
const counts = [["received", false], ["reordered", false], ["duplicate", false], ["corrupt", true], ["foreign", false]];

function head() {
  const {command, configuration, results} = data;
  const given = Object.entries(configuration).map(([name, value]) => "--" + name + (value === true ? "" : " " + value));
  const title = show_verdict(results);
  document.title = `${title}: ringpost ${command} ${data.environment.started_at ?? ""}`;
  const merged = results.runs > 1 ? ` (merged from ${results.runs} runs)` : "";
  document.querySelector("h1").textContent = ["ringpost", command, ...given].join(" ") + merged;
  document.getElementById("environment").textContent = environment_text(data);
  const cards = document.querySelector(".cards");
  const card = (label, value, kind, note) => {
    const box = element("div", "", cards);
    element("b", value, box);
    element("span", label, box);
    if (note) element("span", note, box);
    if (kind) box.className = kind;
  };
  const only_received = results.sent === undefined;  // a sink
  if (!only_received) card("sent", grouped(results.sent));
  card(only_received ? "received per second" : "sent per second", grouped(results.sent_rate_per_s ?? results.rate_per_s));
  const sent = only_received ? results.received - results.duplicate - results.corrupt + results.lost : results.sent;
  if (typeof results.lost === "number")
    card(`lost (${grouped(results.lost)})`, sent ? Number((100 * results.lost / sent).toPrecision(3)) + " %" : "-",
         results.lost > 0 && "bad");
  for (const [name, bad] of counts)
    if (results[name] > 0 || (typeof results[name] === "number" && name !== "foreign")) card(name, grouped(results[name]), bad && results[name] > 0 && "bad");
  if (first === undefined) return;
  const times = results[first === "response" ? "rtt_us" : first + "_us"];
  for (const [name, label] of percentiles) {
    const beyond = times?.lost_beyond && typeof times[name] !== "number";
    const late = first === "response" && results.stands?.[name] === false;
    card(`${label} ${shown(first)}`, beyond ? "> " + duration(times.lost_beyond) : duration(times?.[name]),
         beyond ? "bad" : late && "late", beyond ? "lost" : late && "sender late");
  }
}

const palette = ["--one", "--two", "--three", "--four"];
let charts = [];

// Lines that stand out; all others take the palette in turn.
const looks = {sent: {fill: true}, refused: {color: "--four"}, lost_receive_buffer: {color: "--two"},
               lost_path: {color: "--bad", fill: true}};

// Shows the values of the point under the pointer in a box beside it.
function values_beside_pointer() {
  const box = document.createElement("div");
  box.className = "values";
  box.hidden = true;
  const add_line = (label, value, stroke) => {
    const line = element("div", "", box), name = element("span", "", line);
    if (stroke) element("i", "", name).style.background = stroke;
    name.append(label);
    element("span", value, line);
  };
  const show = plot => {
    const {left, top, idxs} = plot.cursor;
    box.hidden = left < 0 || idxs[0] === null || idxs[0] === undefined;
    if (box.hidden) return;
    box.replaceChildren();
    plot.series.forEach((series, i) => {
      const value = idxs[i] === null ? null : plot.data[i][idxs[i]];
      if (series.show) add_line(series.label, series.value(plot, value, i, idxs[i]), i > 0 && series.stroke(plot, i));
    });
    const {clientWidth, clientHeight} = plot.over, beside = left + 14 + box.offsetWidth;
    box.style.left = (beside <= clientWidth ? left + 14 : Math.max(left - 14 - box.offsetWidth, -60)) + "px";
    box.style.top = Math.max(0, Math.min(top + 10, clientHeight - box.offsetHeight)) + "px";
  };
  return {hooks: {init: plot => plot.over.append(box), setCursor: show}};
}

// Draws a chart in its section. `lines` are {name, label, values}.
function plot(section, {x, lines, x_axis = {}, y_axis = {}, scales = {}, value, stepped}) {
  const narrow = section.clientWidth < 420;
  const axis = {stroke: color("--faint"), grid: {stroke: color("--grid"), width: 1}, ticks: {stroke: color("--grid"), width: 1},
                font: "12px system-ui, sans-serif"};
  const style = getComputedStyle(section);
  const made = new uPlot({
    width: section.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight), height: narrow ? 220 : 260,
    padding: [8, narrow ? 24 : 32, 0, 0],
    scales: {x: {time: false, range: (_, low, high) => [0, high]}, ...scales},
    cursor: {points: {size: 6}, dataIdx: stepped ? interval_at : known_at},
    legend: {live: false},
    plugins: [values_beside_pointer()],
    axes: [{...axis, space: narrow ? 60 : 50, ...x_axis}, {...axis, size: narrow ? 62 : 66, ...y_axis}],
    series: [x_axis.series,
      ...lines.map((line, i) => {
        const look = looks[line.name] ?? {}, stroke = color(look.color ?? palette[i % palette.length]);
        return {label: line.label, stroke, width: 1.5, fill: look.fill ? stroke + "33" : undefined,
                paths: stepped && uPlot.paths.stepped({align: 1}), spanGaps: true, points: {show: x.length === 1, size: 5},
                value: (_, at) => at === null || at === undefined ? line.missing ?? "-" : value(at)};
      })],
  }, [x, ...lines.map(line => line.values)], section);
  charts.push({made, section});
}

// An interval is drawn as a step from its start to its end, so the first second is seen. The last value is there twice.
const starts = [0, ...data.elapsed_s];
const as_steps = lines => lines.map(line => ({...line, values: [...line.values, line.values.at(-1)]}));
// The index of the interval in which the pointer is.
const interval_at = (_, __, closest, at) => Math.max(0, Math.min(closest - (starts[closest] > at), starts.length - 2));
// The index of the nearest value before the pointer; the curves of a spectrum have different points. Null behind the end.
const known_at = (plot, series, closest) => {
  const values = plot.data[series];
  let index = closest;
  while (index > 0 && (values[index] === null || values[index] === undefined)) --index;
  return index === closest || values.slice(closest).some(each => each !== null && each !== undefined) ? index : null;
};
const seconds_axis = {values: (_, splits) => splits.map(at => at + " s"),
  series: {label: "time", value: (_, __, ___, index) => `${starts[index].toFixed(1)} to ${starts[index + 1]?.toFixed(1)} s`}};

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
  const drawings = [];
  // The sections come first: the width of each depends on how many there are.
  const chart = (title, x, lines, options) => {
    const section = element("section", "", document.querySelector(".charts"));
    element("h2", title, section);
    drawings.push(() => plot(section, {x, lines, ...options}));
  };
  const units = {per_second: {axis: short, value: grouped},
                 percent: {axis: at => at + " %", value: at => percent(at / 100)}};
  const any = data.elapsed_s.length > 0;
  const chart_seconds = (title, lines, options) =>
    chart(title, any ? starts : [0], any ? as_steps(lines) : lines, {x_axis: seconds_axis, stepped: any, ...options});
  for (const {title, unit, y_max_least, lines} of data.charts)
    chart_seconds(title, lines, {y_axis: {values: (_, splits) => splits.map(units[unit].axis)},
      scales: {y: from_zero(y_max_least)}, value: units[unit].value});
  if (first !== undefined) chart_times(chart, chart_seconds);
  for (const drawing of drawings) drawing();
}

// The times over the run, and their spectrum.
function chart_times(chart, chart_seconds) {
  const over_time = data.recordings[first].lines.map(line => ({...line, values: positive(line.values)}));
  const timeout_us = data.timeout_us;
  const time_text = us => first === "response" && us === timeout_us ? `> ${duration(us)} (lost)` : duration(us);
  chart_seconds(`${shown(first)} time, second by second`, over_time,
    {y_axis: in_decades, scales: {y: decades(over_time)}, value: time_text});

  // The spectrum's x axis is 1 / (1 - share), so each decade adds a nine. It cannot show 100 %, and ends at the last share
  // below. The lost ones are longer than all others, so the response's curve ends where they begin.
  const points = Object.entries(data.recordings).map(([name, {spectrum}]) => [name, spectrum.filter(([share]) => share < 1)]);
  const x = [...new Set(points.flatMap(([, spectrum]) => spectrum.map(([share]) => 1 / (1 - share))))].sort((a, b) => a - b);
  const lines = points.map(([name, spectrum]) => {
    const at = new Map(spectrum.map(([share, us]) => [1 / (1 - share), us]));
    return {label: shown(name), values: positive(x.map(each => at.get(each) ?? null)),
            missing: name === "response" && data.results.lost > 0 ? `> ${duration(timeout_us)} (lost)` : "-"};
  });
  const share_text = each => each <= 1 ? "0 %" : percent(1 - 1 / each);
  const nines = {values: (_, splits) => splits.map(each => each !== null && Number.isInteger(Math.round(Math.log10(each) * 1e6) / 1e6)
                                                            ? share_text(each) : null),
                 series: {label: "share", value: (_, each) => each === null || each === undefined ? "" : share_text(each)}};
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
