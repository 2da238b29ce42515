// Elements. Text is always text: nothing here, or anywhere, makes markup of a string.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, properties, children) {
	for (const [name, value] of Object.entries(properties ?? {})) {
		if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
		else if (name === "value") node.value = value;
		else if (value !== undefined && value !== null && value !== false) node.setAttribute(name, value === true ? "" : value);
	}
	node.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false));
	return node;
}

// el("a", {href: "#/keys", onclick: f}, "text", child, [more])
export const el = (tag, properties, ...children) => fill(document.createElement(tag), properties, children);

export const svg = (tag, properties, ...children) => fill(document.createElementNS(SVG, tag), properties, children);

export const byId = (id) => document.getElementById(id);

// What happened, for those who hear the page.
export function announce(text) {
	byId("announce").textContent = "";
	setTimeout(() => (byId("announce").textContent = text), 50);
}

// After `milliseconds`, or at once when `signal` says that nobody waits any more.
export const pause = (milliseconds, signal) =>
	new Promise((resolve) => {
		const timer = setTimeout(resolve, milliseconds);
		signal?.addEventListener(
			"abort",
			() => {
				clearTimeout(timer);
				resolve();
			},
			{once: true},
		);
	});

// Calls `look` again and again while somebody looks; `look` waits for a server that is away by itself.
export async function every(milliseconds, signal, look) {
	while (!signal.aborted) {
		if (!document.hidden) await look();
		await pause(milliseconds, signal);
	}
}
