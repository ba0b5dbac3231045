"""Writes the twelve rows of rows.csv as workbooks of many programs: run it in this folder.

    python3 -m venv /tmp/corpus && /tmp/corpus/bin/pip install openpyxl XlsxWriter
    /tmp/corpus/bin/python make.py

LibreOffice is used if `soffice` is on the PATH. Apache POI, the Open XML SDK and strict workbooks are written by hand, in
the dialects of those programs. All people are invented.
"""

import csv
import datetime
import pathlib
import shutil
import subprocess
import tempfile
import zipfile
from xml.sax.saxutils import escape

import openpyxl
import openpyxl.utils.datetime
import xlsxwriter

HERE = pathlib.Path(__file__).parent
with open(HERE / "rows.csv", newline="") as file:
    HEADER, *ROWS = csv.reader(file)
DATES = {HEADER.index("TANGGAL LAHIR"), HEADER.index("TMT")}
AMOUNTS = {HEADER.index("NO"), HEADER.index("GAJI POKOK")}


def value(column, text):
    """The value of a cell: a date, an amount, a text, or nothing."""
    if not text:
        return None
    if column in DATES:
        return datetime.date.fromisoformat(text)
    return int(text) if column in AMOUNTS else text


def serial(day, from_1904=False):
    """The number by which a workbook stores a day."""
    return (day - (datetime.date(1904, 1, 1) if from_1904 else datetime.date(1899, 12, 30))).days


def with_openpyxl(name, epoch):
    book = openpyxl.Workbook()
    book.epoch = epoch
    book.properties.created = book.properties.modified = datetime.datetime(2014, 10, 2)
    sheet = book.active
    sheet.append(HEADER)
    for row in ROWS:
        sheet.append([value(column, text) for column, text in enumerate(row)])
    book.save(HERE / name)


def with_xlsxwriter(name, **options):
    book = xlsxwriter.Workbook(HERE / name, {"default_date_format": "dd/mm/yyyy", **options})
    book.set_properties({"created": datetime.datetime(2014, 10, 2)})
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, HEADER)
    for at, row in enumerate(ROWS, 1):
        for column, text in enumerate(row):
            sheet.write(at, column, value(column, text)) if column in DATES | AMOUNTS else sheet.write_string(at, column, text)
    book.close()


def with_libreoffice(name):
    soffice = shutil.which("soffice")
    if not soffice:
        print("soffice is not there:", name, "stays as it is")
        return
    with tempfile.TemporaryDirectory() as folder:
        # Text, text, ..., and dates of the form year, month, day: see the filter options of Calc for CSV.
        kinds = "/".join(f"{at + 1}/{5 if at in DATES else 1 if at in AMOUNTS else 2}" for at in range(len(HEADER)))
        source = shutil.copy(HERE / "rows.csv", folder)
        options = f"--infilter=CSV:44,34,76,1,{kinds}"
        subprocess.run([soffice, "--headless", options, "--convert-to", "xlsx", "--outdir", folder, source], check=True)
        shutil.move(pathlib.Path(folder) / "rows.xlsx", HERE / name)


def address(column, row):
    return f"{chr(ord('A') + column)}{row}"


CONTENT_TYPES = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/></Types>"""
TRANSITIONAL = ("http://schemas.openxmlformats.org/spreadsheetml/2006/main", "http://schemas.openxmlformats.org/officeDocument/2006/relationships")
STRICT = ("http://purl.oclc.org/ooxml/spreadsheetml/main", "http://purl.oclc.org/ooxml/officeDocument/relationships")


def by_hand(name, cell, texts=None, names=TRANSITIONAL, prefix="", properties="", zip64=False):
    """Writes a workbook part by part. `cell` returns the XML of a cell; `texts` collects shared texts."""
    main, relations = names
    declaration = f'xmlns:{prefix[:-1]}="{main}"' if prefix else f'xmlns="{main}"'
    rows = []
    for at, row in enumerate([HEADER, *ROWS], 1):
        cells = "".join(cell(column, at, text) for column, text in enumerate(row))
        rows.append(f'<{prefix}row r="{at}">{cells}</{prefix}row>')
    relation = '<Relationship Id="rId{}" Type="{}/{}" Target="{}"/>'.format
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    parts = {
        "[Content_Types].xml": CONTENT_TYPES,
        "_rels/.rels": f'<Relationships xmlns="{package}">{relation(1, relations, "officeDocument", "xl/workbook.xml")}</Relationships>',
        "xl/workbook.xml": f'<{prefix}workbook {declaration} xmlns:r="{relations}">{properties}<{prefix}sheets><{prefix}sheet name="Peserta" r:id="rId1" sheetId="1"/></{prefix}sheets></{prefix}workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}">'
        + relation(1, relations, "worksheet", "worksheets/sheet1.xml")
        + relation(2, relations, "styles", "styles.xml")
        + relation(3, relations, "sharedStrings", "sharedStrings.xml")
        + "</Relationships>",
        "xl/styles.xml": f'<{prefix}styleSheet {declaration}><{prefix}cellXfs count="2"><{prefix}xf numFmtId="0"/><{prefix}xf numFmtId="14" applyNumberFormat="1"/></{prefix}cellXfs></{prefix}styleSheet>',
        "xl/worksheets/sheet1.xml": f'<{prefix}worksheet {declaration}><{prefix}sheetData>{"".join(rows)}</{prefix}sheetData></{prefix}worksheet>',
    }
    if texts is not None:
        items = "".join(f"<{prefix}si><{prefix}t>{escape(text)}</{prefix}t></{prefix}si>" for text in texts)
        parts["xl/sharedStrings.xml"] = f'<{prefix}sst {declaration} count="{len(texts)}" uniqueCount="{len(texts)}">{items}</{prefix}sst>'
    with zipfile.ZipFile(HERE / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, text in parts.items():
            entry = zipfile.ZipInfo(part, (2014, 10, 2, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=zip64) as out:
                out.write(text.encode())


def dialect(prefix="", shared=False, decimals=False, iso_dates=False, from_1904=False):
    """How a program writes a cell: returns the function and its list of shared texts."""
    texts = [] if shared else None

    def cell(column, row, text):
        at = address(column, row)
        what = value(column, text) if row > 1 else text
        if what is None:
            return f'<{prefix}c r="{at}"/>'
        if isinstance(what, datetime.date) and iso_dates:
            return f'<{prefix}c r="{at}" s="1" t="d"><{prefix}v>{what.isoformat()}T00:00:00</{prefix}v></{prefix}c>'
        if isinstance(what, str):
            if not shared:
                return f'<{prefix}c r="{at}" t="inlineStr"><{prefix}is><{prefix}t>{escape(what)}</{prefix}t></{prefix}is></{prefix}c>'
            if what not in texts:
                texts.append(what)
            return f'<{prefix}c r="{at}" t="s"><{prefix}v>{texts.index(what)}</{prefix}v></{prefix}c>'
        number = serial(what, from_1904) if isinstance(what, datetime.date) else what
        style = ' s="1"' if isinstance(what, datetime.date) else ""
        return f'<{prefix}c r="{at}"{style} t="n"><{prefix}v>{float(number) if decimals else number}</{prefix}v></{prefix}c>'

    return cell, texts


def main():
    with_openpyxl("openpyxl.xlsx", openpyxl.utils.datetime.WINDOWS_EPOCH)
    with_openpyxl("openpyxl-1904.xlsx", openpyxl.utils.datetime.MAC_EPOCH)
    with_xlsxwriter("xlsxwriter.xlsx")
    with_xlsxwriter("xlsxwriter-1904.xlsx", date_1904=True)
    with_xlsxwriter("xlsxwriter-inline.xlsx", constant_memory=True)
    with_libreoffice("libreoffice.xlsx")
    by_hand("poi-shared.xlsx", *dialect(shared=True, decimals=True))
    by_hand("poi-inline.xlsx", *dialect(decimals=True))
    by_hand("open-xml-sdk.xlsx", *dialect(prefix="x:", shared=True), prefix="x:")
    by_hand("poi-zip64.xlsx", *dialect(decimals=True), zip64=True)
    by_hand("strict.xlsx", *dialect(shared=True, iso_dates=True), names=STRICT)
    by_hand("strict-1904.xlsx", *dialect(from_1904=True), names=STRICT, properties='<workbookPr date1904="true"/>')


main()
