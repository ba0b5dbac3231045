// Classes of colours for a map.

const CLASSES = 5;

/**
 * Divides values into at most five classes with about as many values in each. Java has many more people than the other
 * islands, so that classes of the same width would show two colours only.
 */
export function classes(values) {
  const known = values.filter((value) => value !== null).sort((a, b) => a - b);
  const distinct = [...new Set(known)];
  if (distinct.length <= CLASSES) return distinct.map((value) => ({ from: value, until: value }));
  const scale = [];
  for (let index = 0; index < CLASSES; index += 1) {
    const part = known.slice(
      Math.round((index * known.length) / CLASSES),
      Math.round(((index + 1) * known.length) / CLASSES),
    );
    const from = part.find((value) => value > (scale.at(-1)?.until ?? -Infinity));
    if (from !== undefined) scale.push({ from, until: part.at(-1) });
  }
  return scale;
}

/** Returns the class of a value, or null where it is unknown. */
export function classOf(scale, value) {
  if (value === null || scale.length === 0) return null;
  const index = scale.findIndex(({ until }) => value <= until);
  return index < 0 ? scale.length - 1 : index;
}
