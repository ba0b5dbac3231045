// Writes the twelve rows of rows.csv as workbooks of SheetJS and ExcelJS: run it in this folder.
//
//     npm install --no-save xlsx exceljs && node make.mjs
import { readFileSync } from "node:fs";
import ExcelJS from "exceljs";
import XLSX from "xlsx";

const table = XLSX.utils.sheet_to_json(
  XLSX.read(readFileSync("rows.csv", "utf8"), { type: "string", raw: true }).Sheets.Sheet1,
  { header: 1, raw: false, defval: "" },
);
const [header, ...rows] = table;
const dates = ["TANGGAL LAHIR", "TMT"].map((name) => header.indexOf(name));
const amounts = ["NO", "GAJI POKOK"].map((name) => header.indexOf(name));
const DAY = 24 * 60 * 60 * 1000;
const serial = (text, from1904) => (Date.parse(text) - Date.UTC(from1904 ? 1904 : 1899, from1904 ? 0 : 11, from1904 ? 1 : 30)) / DAY;

function sheetjs(name, { shared = false, from1904 = false } = {}) {
  const cell = (text, column) => {
    if (text === "") return null;
    if (dates.includes(column)) return { t: "n", v: serial(text, from1904), z: "dd/mm/yyyy" };
    return amounts.includes(column) ? { t: "n", v: Number(text) } : { t: "s", v: text };
  };
  const sheet = XLSX.utils.aoa_to_sheet([header, ...rows.map((row) => row.map(cell))]);
  const book = XLSX.utils.book_new();
  XLSX.utils.book_append_sheet(book, sheet, "Peserta");
  book.Workbook = { WBProps: { date1904: from1904 } };
  book.Props = { CreatedDate: new Date(Date.UTC(2014, 9, 2)) };
  // Without its theme of 7 KB, which no reader of rosters looks at.
  const themeXLSX = '<a:theme xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" name="Office"/>';
  XLSX.writeFile(book, name, { bookSST: shared, compression: true, themeXLSX });
}

function fill(sheet) {
  sheet.addRow(header).commit();
  for (const row of rows) {
    const line = sheet.addRow(
      row.map((text, column) => {
        if (text === "") return null;
        if (dates.includes(column)) return new Date(Date.parse(text));
        return amounts.includes(column) ? Number(text) : text;
      }),
    );
    for (const column of dates) line.getCell(column + 1).numFmt = "dd/mm/yyyy";
    line.commit();
  }
}

async function exceljs(name) {
  const book = new ExcelJS.Workbook();
  book.created = book.modified = new Date(Date.UTC(2014, 9, 2));
  fill(book.addWorksheet("Peserta"));
  await book.xlsx.writeFile(name);
}

async function exceljsStream(name) {
  const book = new ExcelJS.stream.xlsx.WorkbookWriter({ filename: name, useSharedStrings: false, useStyles: true });
  fill(book.addWorksheet("Peserta"));
  await book.commit();
}

sheetjs("sheetjs.xlsx");
sheetjs("sheetjs-shared.xlsx", { shared: true });
sheetjs("sheetjs-1904.xlsx", { from1904: true });
await exceljs("exceljs.xlsx");
await exceljsStream("exceljs-stream.xlsx");
