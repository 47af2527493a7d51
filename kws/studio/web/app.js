/* The page: what stands behind it (standing.json), the views that there are for that, and which one is shown. */

import { fill, h } from "./dom.js";
import { S } from "./strings.js";

const LISTEN = { name: "listen", load: () => import("./listen.js") };
const OTHERS = [
  { name: "make", load: () => import("./make.js") },
  { name: "datasets", load: () => import("./datasets.js") },
];

/** What standing.json says; throws an Error with a sentence for people. */
async function standing() {
  try {
    const answer = await fetch("standing.json", { cache: "no-store" });
    if (answer.ok) return await answer.json();
  } catch { /* Told as any other failure to get it. */ }
  throw new Error(S.page.noStanding);
}

/** The frame around all views, and how to show one of them. */
function page(stands) {
  const views = stands.server ? [LISTEN, ...OTHERS] : [LISTEN];
  const links = views.map(({ name }) => h("a", { href: `#${name}` }, S.page[name]));
  const main = h("main", { id: "main", tabindex: "-1" });
  const skip = h("a", { class: "skip", href: "#main" }, S.page.skip);
  skip.addEventListener("click", (event) => {
    event.preventDefault();
    main.focus();
  });
  let shown = null, turn = 0;

  const show = async (isFirst) => {
    const asked = location.hash.slice(1).split("/")[0];
    const wanted = views.find(({ name }) => name === asked) ?? LISTEN;
    if (wanted.name === shown?.name) return;
    const mine = ++turn;
    shown?.leave();
    shown = { name: wanted.name, leave() {} };
    links.forEach((link, at) => {
      if (views[at] === wanted) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    });
    document.title = S.page.titled(S.page[wanted.name]);
    try {
      const { view } = await wanted.load();
      if (mine !== turn) return;
      const { element, leave } = view(stands);
      shown.leave = leave;
      fill(main, element);
    } catch (error) {
      if (mine === turn) fill(main, h("h1", {}, S.page[wanted.name]), trouble(error));
    }
    if (mine === turn && !isFirst) focusHeading(main);
  };

  addEventListener("hashchange", () => show(false));
  addEventListener("pagehide", () => shown?.leave());
  document.body.replaceChildren(skip,
    h("header", { class: "masthead" }, h("div", {}, h("span", { class: "brand" },
      h("img", { src: "icon.svg", alt: "", width: 24, height: 24 }), S.page.title),
    views.length > 1 ? h("nav", { class: "views", "aria-label": S.page.views }, links) : null)),
    main);
  return show(true);
}

/** Let the keyboard and screen readers go on from the view's heading. */
function focusHeading(main) {
  const heading = main.querySelector("h1") ?? main;
  heading.setAttribute("tabindex", "-1");
  heading.focus({ preventScroll: true });
  scrollTo(0, 0);
}

const trouble = ({ message }) => h("p", { class: "error", role: "alert" }, message);

try {
  await page(await standing());
} catch (error) {
  document.body.replaceChildren(h("main", {}, trouble(error)));
}
