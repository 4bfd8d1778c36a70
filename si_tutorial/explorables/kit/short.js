// Numbers for readers.

export const power_of_ten = (power) =>
  `10${String(power).replace("-", "⁻").replace(/\d/g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit])}`;

/** A number for readers: a few digits, a true minus, and powers of ten only where it needs them. */
export function short(value, digits = 3) {
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-4 && size < 1e5)) {
    return String(Number(value.toPrecision(digits))).replace("-", "−");
  }
  const [factor, power] = value.toExponential(digits - 1).split("e").map(Number);
  return (factor === 1 ? "" : `${factor} · `).replace("-", "−") + power_of_ten(power);
}
