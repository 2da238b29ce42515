import {get} from "../api.js";
import {chart} from "../chart.js";
import {el, every} from "../dom.js";
import {milliseconds} from "../format.js";
import {empty, heading} from "../parts.js";

export const title = "Charts";

// As many as the server keeps: half an hour.
const MOST = 360;

const percentiles = (name) =>
	[
		["p50", "p50_ms"],
		["p95", "p95_ms"],
		["p99", "p99_ms"],
	].map(([label, key]) => ({label, value: (point) => point[name][key]}));
const rate = (pick) => (point) => pick(point) / point.seconds;
const perSecond = (number) => `${Number(number.toPrecision(3))}/s`;

function draw(place, points) {
	const stages = [...new Set(points.flatMap(({degraded}) => Object.keys(degraded)))].sort();
	place.replaceChildren(
		chart("Search latency", points, percentiles("search"), milliseconds, "How long searches over HTTP took, cached ones included."),
		chart("Answer latency", points, percentiles("answer"), milliseconds, "How long whole answers took."),
		chart(
			"Requests",
			points,
			[
				{label: "answered", value: rate(({requests}) => requests.ok)},
				{label: "refused (4xx)", value: rate(({requests}) => requests.refused)},
				{label: "failed (5xx)", value: rate(({requests}) => requests.failed)},
			],
			perSecond,
			"What was asked of the API, without this console's own looking at the server.",
		),
		chart(
			"Degraded responses",
			points,
			stages.length ? stages.map((stage) => ({label: stage, value: rate(({degraded}) => degraded[stage] ?? 0)})) : [{label: "none", value: () => 0}],
			perSecond,
			"Responses that had to do without something, by what was away.",
		),
		chart(
			"Turned away",
			points,
			[{label: "overloaded", value: rate(({shed}) => shed)}],
			perSecond,
			"Requests refused because too much was under way.",
		),
	);
}

export async function show(main, {signal}) {
	const place = el("section", {class: "charts", "aria-label": "Charts"}, el("p", {class: "dim"}, "Reading …"));
	main.append(
		heading("Charts"),
		el(
			"p",
			{class: "dim"},
			"The last half hour of this server, in intervals of five seconds. It remembers them since its start; percentiles are read off a histogram.",
		),
		place,
	);
	let points = [];
	const look = async () => {
		const last = points.at(-1)?.at;
		const fresh = (await get(`/v1/system/metrics${last ? `?after=${encodeURIComponent(last)}` : ""}`, signal)).points;
		points = [...points, ...fresh].slice(-MOST);
		if (!points.length) place.replaceChildren(empty("Nothing to draw yet", "The first interval ends a few seconds after the server has started."));
		else if (fresh.length && !place.matches(":focus-within")) draw(place, points);
	};
	await look();
	await every(5000, signal, look);
}
