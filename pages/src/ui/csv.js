// Tables of the page as CSV files.

/** Downloads a table as `NAME.csv`, in a language. */
export function saveCsv({ name, columns, rows }, language, t) {
  const text = writeCsv([columns.map((column) => t(`column.${column}`)), ...rows], SEPARATORS[language]);
  saveFile(`${name}.csv`, new Blob([text], { type: 'text/csv;charset=utf-8' }));
}

/** A spreadsheet with decimal commas, as in Indonesia, expects a semicolon. */
const SEPARATORS = { en: ',', id: ';' };

/** Returns rows as CSV. Numbers are plain digits, so that every spreadsheet reads them. */
export function writeCsv(rows, separator) {
  const lines = rows.map((row) => row.map(cell).join(separator));
  // The mark tells Excel that the text is UTF-8.
  return `\u{feff}${lines.join('\r\n')}\r\n`;
}

/** Downloads a blob as a file. */
export function saveFile(name, blob) {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  URL.revokeObjectURL(url);
}

/** A spreadsheet would run a text that begins like a formula, so such a text begins with an apostrophe. */
function cell(value) {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number') return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",;\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * Reads CSV with quotes. Returns rows of texts. The reports of the registry are the only input, so the separator is known
 * from the first line.
 */
export function readCsv(text) {
  const source = text.replace(/^\u{feff}/u, '');
  const separator = [';', '\t', '|', ','].find((it) => source.split(/\r?\n/, 1)[0].includes(it)) ?? ',';
  const rows = [[]];
  let field = '';
  let quoted = false;
  for (let at = 0; at < source.length; at += 1) {
    const c = source[at];
    if (quoted) {
      if (c !== '"') field += c;
      else if (source[at + 1] === '"') {
        field += '"';
        at += 1;
      } else quoted = false;
    } else if (c === '"') quoted = true;
    else if (c === separator || c === '\n') {
      rows.at(-1).push(field.replace(/\r$/, ''));
      field = '';
      if (c === '\n') rows.push([]);
    } else field += c;
  }
  rows.at(-1).push(field.replace(/\r$/, ''));
  return rows.filter((row) => row.length > 1 || row[0] !== '');
}
