/* What a button sets off: it is busy meanwhile, and what goes wrong is said beside it. */

import { fill, h } from "./dom.js";

/** A place for complaints, read out when one comes. */
export const complaints = () => h("div", { role: "alert" });

/** Say an error's sentence in such a place, or with null take back what was said. */
export const complain = (place, error) => fill(place, error && h("p", { class: "error" }, error.message));

/** Do something, and say what goes wrong with it. */
export async function tried(place, action) {
  complain(place, null);
  try {
    await action();
  } catch (error) {
    complain(place, error);
  }
}

/** The same, once for all clicks on a button that come meanwhile. */
export async function attempt(button, place, action) {
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  await tried(place, action);
  button.removeAttribute("aria-busy");
}

/** A button that attempts something. */
export function doer(label, place, action, attributes = {}) {
  const button = h("button", { type: "button", ...attributes, onclick: () => attempt(button, place, action) }, label);
  return button;
}
