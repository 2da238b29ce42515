// Lines over time as SVG: no two lines differ by colour alone, and a table holds the same for those who do not see it.

import {el, svg} from "./dom.js";

const WIDTH = 460,
	HEIGHT = 180,
	LEFT = 58,
	RIGHT = 8,
	TOP = 12,
	BOTTOM = 24;
// Rows of the table; the lines have them all.
const ROWS = 12;
const clock = new Intl.DateTimeFormat("en", {hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23"});

// A round number not below `most`.
function ceiling(most) {
	if (!(most > 0)) return 1;
	const size = 10 ** Math.floor(Math.log10(most));
	return [1, 2, 2.5, 5, 10].map((step) => step * size).find((step) => step >= most);
}

// Where there is nothing to say there is a gap, not a zero; what stands alone between gaps is a dot.
function line(points, value, x, y, kind) {
	const values = points.map(value),
		is = (at) => values[at] !== null && values[at] !== undefined;
	let path = "";
	const dots = [];
	values.forEach((here, at) => {
		if (!is(at)) return;
		const [across, down] = [x(at).toFixed(1), y(here).toFixed(1)];
		path += `${is(at - 1) ? "L" : "M"}${across} ${down}`;
		if (!is(at - 1) && !is(at + 1)) dots.push(svg("circle", {class: `dot ${kind}`, cx: across, cy: down, r: 3}));
	});
	return [svg("path", {class: `line ${kind}`, d: path}), dots];
}

// `series`: [{label, value: point => number or null}]
export function chart(title, points, series, format, about) {
	const values = series.flatMap(({value}) => points.map(value)).filter((one) => one !== null);
	const top = ceiling(Math.max(0, ...values));
	const x = (at) => LEFT + (points.length > 1 ? at / (points.length - 1) : 1) * (WIDTH - LEFT - RIGHT);
	const y = (value) => TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM);
	const last = series.map(({label, value}) => {
		const point = points.findLast((one) => value(one) !== null);
		return `${label} ${point ? format(value(point)) : "none"}`;
	});
	const marks = [0, 0.5, 1].map((part) => [
		svg("line", {class: "rule", x1: LEFT, x2: WIDTH - RIGHT, y1: y(top * part), y2: y(top * part)}),
		svg("text", {x: LEFT - 8, y: y(top * part) + 4, "text-anchor": "end"}, format(top * part)),
	]);
	const times = [
		[0, "start"],
		[points.length - 1, "end"],
	]
		.filter(([at], order) => order === 1 || points.length > 1)
		.map(([at, anchor]) => svg("text", {x: x(at), y: HEIGHT - 6, "text-anchor": anchor}, clock.format(new Date(points[at].at))));
	const lines = series.map(({value}, at) => line(points, value, x, y, `l${at % 5}`));
	const cursor = svg("line", {class: "cursor", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden"});
	const reading = el("p", {class: "dim small reading"}, `Last: ${last.join(", ")}`);
	const picture = svg(
		"svg",
		{viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${title}. Last values: ${last.join(", ")}`},
		marks,
		times,
		lines,
		cursor,
	);
	picture.addEventListener("pointermove", (event) => {
		const box = picture.getBoundingClientRect();
		const share = (((event.clientX - box.left) / box.width) * WIDTH - LEFT) / (WIDTH - LEFT - RIGHT);
		const at = Math.min(points.length - 1, Math.max(0, Math.round(share * (points.length - 1))));
		for (const end of ["x1", "x2"]) cursor.setAttribute(end, x(at));
		cursor.setAttribute("visibility", "visible");
		const said = series.map(({label, value}) => `${label} ${value(points[at]) === null ? "none" : format(value(points[at]))}`);
		reading.textContent = `${clock.format(new Date(points[at].at))}: ${said.join(", ")}`;
	});
	const key = el(
		"ul",
		{class: "legend bare"},
		series.map(({label}, at) =>
			el("li", {}, svg("svg", {viewBox: "0 0 28 8", "aria-hidden": "true"}, svg("path", {class: `line l${at % 5}`, d: "M0 4h28"})), label),
		),
	);
	const rows = points
		.slice(-ROWS)
		.reverse()
		.map((point) =>
			el(
				"tr",
				{},
				el("th", {scope: "row"}, clock.format(new Date(point.at))),
				series.map(({value}) => el("td", {}, value(point) === null ? "–" : format(value(point)))),
			),
		);
	const numbers = el(
		"details",
		{},
		el("summary", {}, "As numbers"),
		el(
			"div",
			{class: "scroll", tabindex: 0, role: "region", "aria-label": `${title} as numbers`},
			el(
				"table",
				{},
				el(
					"thead",
					{},
					el(
						"tr",
						{},
						el("th", {scope: "col"}, "Until"),
						series.map(({label}) => el("th", {scope: "col"}, label)),
					),
				),
				el("tbody", {}, rows),
			),
		),
	);
	return el(
		"figure",
		{class: "card"},
		el("figcaption", {}, el("h2", {}, title), el("p", {class: "dim small"}, about)),
		key,
		picture,
		reading,
		numbers,
	);
}
