/* Colours for canvases: those of the style sheet, and a map for spectrograms that is even to the eye.

The map runs evenly through lightness in OKLab (B. Ottosson, 2020), from the page's own ground to what stands out
from it most: from night over blue and teal to pale yellow where it is dark, the other way round where it is light. */

const DARK = matchMedia("(prefers-color-scheme: dark)");
const MAPS = {
  dark: { lightness: [0.19, 0.96], hue: [285, 95], chroma: 0.115 },
  light: { lightness: [0.965, 0.27], hue: [178, 290], chroma: 0.1 },
};

/** What a property of the style sheet is for an element: colour(canvas, "--ink"). */
export function colour(element, property) {
  return getComputedStyle(element).getPropertyValue(property).trim();
}

/** 256 colours from silent to loud, red, green, blue and opacity each, for the present theme. */
export function loudnessMap() {
  const { lightness, hue, chroma } = MAPS[DARK.matches ? "dark" : "light"], map = new Uint8ClampedArray(4 * 256);
  const between = ([low, high], share) => low + (high - low) * share;
  for (let at = 0; at < 256; at++) {
    const share = at / 255, turn = (between(hue, share) * Math.PI) / 180;
    const depth = chroma * Math.sin(Math.PI * share) + 0.008;
    map.set([...rgb(between(lightness, share), depth * Math.cos(turn), depth * Math.sin(turn)), 255], 4 * at);
  }
  return map;
}

/** Call back whenever the system turns dark or light; gives what ends it. */
export function onTheme(callback) {
  DARK.addEventListener("change", callback);
  return () => DARK.removeEventListener("change", callback);
}

/** OKLab as red, green and blue from 0 to 255. */
function rgb(lightness, a, b) {
  const long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const short = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
    -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
    -0.0041960863 * long - 0.7034186147 * middle + 1.707614701 * short,
  ].map((linear) => 255 * (linear <= 0.0031308 ? 12.92 * linear : 1.055 * linear ** (1 / 2.4) - 0.055));
}
