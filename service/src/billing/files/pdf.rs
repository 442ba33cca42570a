//! A report as pages: totals first, why the partner saves, subtotals, then lines by lead user.
//!
//! Written page by page with the fonts that every reader has (Helvetica, Latin text): a page is compressed as soon as it is full.
//! Beyond [`LINES_MAX`] lines, which nobody reads on pages, the report refers to its CSV.

use std::io::{self, Write};

use domain::billing::Totals;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use pdf_writer::{Content, Filter, Finish as _, Name, Pdf, Rect, Ref, Str, TextStr};

use super::{Head, counted};
use crate::billing::rating::Line;

/// Lines of the pages at most; the CSV has all of them.
const LINES_MAX: usize = 20_000;

// A4, points.
const WIDTH: f32 = 595.0;
const HEIGHT: f32 = 842.0;
const LEFT: f32 = 42.0;
const RIGHT: f32 = WIDTH - 42.0;
const TOP: f32 = HEIGHT - 48.0;
const BOTTOM: f32 = 58.0;

/// A colour, each part from 0 to 1.
type Ink = [f32; 3];
const BLACK: Ink = [0.1, 0.13, 0.15];
const QUIET: Ink = [0.42, 0.46, 0.5];
const ACCENT: Ink = [0.05, 0.35, 0.4];
const RULE: Ink = [0.82, 0.85, 0.87];

pub(super) fn write(head: &Head, lines: impl Iterator<Item = Line>, mut out: impl Write) -> io::Result<()> {
    let mut pages = Pages::begin(head);
    front(head, &mut pages)?;
    by_lead_user(head, lines, &mut pages)?;
    out.write_all(&pages.finish(head)?)?;
    out.flush()
}

fn front(head: &Head, pages: &mut Pages) -> io::Result<()> {
    pages.text(LEFT, 9.0, false, QUIET, &head.tenant_name);
    pages.down(24.0)?;
    pages.text(LEFT, 20.0, true, BLACK, "Billing report");
    pages.right(
        RIGHT,
        20.0,
        true,
        ACCENT,
        &format!("{} {}", head.money(head.figures.totals.billed), head.currency),
    );
    pages.down(16.0)?;
    pages.text(
        LEFT,
        11.0,
        false,
        BLACK,
        &format!("{} · {} · version {}", head.partner_name, head.period, head.version),
    );
    pages.right(RIGHT, 9.0, false, QUIET, "to be paid for this period");
    pages.down(24.0)?;
    let last = head.period.end.pred_opt().unwrap_or(head.period.end);
    let mut facts = vec![
        ("Period", format!("{} to {last}, days of {}", head.period.start, head.time_zone)),
        ("Rate plan", head.plan.clone()),
        ("Closed", head.closed_at.format("%Y-%m-%d %H:%M UTC").to_string()),
        ("Report", head.report.to_string()),
        ("SHA-256 of the CSV", head.line_hash.clone()),
    ];
    if let Some(reason) = &head.reason {
        facts.push(("Issued again", reason.clone()));
    }
    for (name, value) in facts {
        pages.text(LEFT, 9.0, false, QUIET, name);
        pages.text(LEFT + 100.0, 9.0, false, BLACK, &cut(&value, 78));
        pages.down(13.0)?;
    }
    pages.down(10.0)?;
    sums(head, pages)?;
    for sentence in head.savings_explained() {
        pages.text(LEFT, 9.0, false, QUIET, &sentence);
        pages.down(13.0)?;
    }
    pages.down(14.0)?;
    let products = head.figures.products.iter().map(|one| {
        let name = if one.name == one.slug { one.slug.clone() } else { format!("{} {}", one.slug, one.name) };
        (name, one.totals)
    });
    subtotals(head, pages, "Product", products)?;
    let lead_types = head.figures.lead_types.iter().map(|one| (one.name.clone(), one.totals));
    subtotals(head, pages, "Lead type", lead_types)
}

fn sums(head: &Head, pages: &mut Pages) -> io::Result<()> {
    let totals = head.figures.totals;
    pages.rule();
    let rows = [
        (
            format!(
                "Gross of {} of {}",
                counted(totals.actions, "action"),
                counted(head.figures.lead_users, "lead user")
            ),
            totals.gross,
        ),
        (format!("Duplicates ({})", totals.duplicate_actions), -totals.duplicates),
        (format!("Over the cap ({})", totals.capped_actions), -totals.over_cap),
        (format!("Not billable ({})", totals.unbilled_actions), -totals.not_billable),
    ];
    for (name, amount) in rows {
        pages.down(15.0)?;
        pages.text(LEFT, 10.0, false, BLACK, &name);
        pages.right(RIGHT, 10.0, false, BLACK, &head.money(amount));
    }
    pages.down(7.0)?;
    pages.rule();
    pages.down(16.0)?;
    pages.text(LEFT, 11.0, true, BLACK, "Billed");
    pages.right(RIGHT, 11.0, true, BLACK, &format!("{} {}", head.money(totals.billed), head.currency));
    let adjustments = head.figures.adjustments;
    if adjustments.actions > 0 {
        pages.down(14.0)?;
        let text = format!(
            "of which adjustments of earlier periods ({} late)",
            counted(adjustments.actions, "action")
        );
        pages.text(LEFT, 9.0, false, QUIET, &text);
        pages.right(RIGHT, 9.0, false, QUIET, &head.money(adjustments.billed));
    }
    pages.down(22.0)
}

/// Where the amounts of a table of subtotals end.
const SUBTOTALS: [(f32, &str); 6] = [
    (RIGHT - 330.0, "Actions"),
    (RIGHT - 264.0, "Gross"),
    (RIGHT - 198.0, "Duplicates"),
    (RIGHT - 132.0, "Over the cap"),
    (RIGHT - 66.0, "Not billable"),
    (RIGHT, "Billed"),
];

fn subtotals(
    head: &Head,
    pages: &mut Pages,
    title: &str,
    groups: impl Iterator<Item = (String, Totals)>,
) -> io::Result<()> {
    pages.keep(60.0)?;
    pages.text(LEFT, 9.0, true, BLACK, title);
    for (x, name) in SUBTOTALS {
        pages.right(x, 8.0, true, QUIET, name);
    }
    pages.down(5.0)?;
    pages.rule();
    for (name, totals) in groups {
        pages.down(13.0)?;
        pages.text(LEFT, 9.0, false, BLACK, &cut(&name, 34));
        let amounts = [totals.gross, totals.duplicates, totals.over_cap, totals.not_billable, totals.billed];
        let texts = [totals.actions.to_string()].into_iter().chain(amounts.map(|amount| head.money(amount)));
        for ((x, _), text) in SUBTOTALS.into_iter().zip(texts) {
            pages.right(x, 9.0, false, BLACK, &text);
        }
    }
    pages.down(28.0)
}

fn by_lead_user(head: &Head, lines: impl Iterator<Item = Line>, pages: &mut Pages) -> io::Result<()> {
    let mut lead_user = None;
    let mut sum = 0;
    for (at, line) in lines.enumerate() {
        if at == LINES_MAX {
            pages.down(20.0)?;
            let text = format!(
                "These are the first {LINES_MAX} of {} lines. The CSV and the workbook of this report have all of them.",
                head.line_count
            );
            pages.text(LEFT, 9.0, true, BLACK, &text);
            return Ok(());
        }
        if lead_user.as_deref() != Some(line.email.as_str()) {
            end_of_user(head, pages, lead_user.is_some(), sum)?;
            pages.keep(52.0)?;
            pages.text(LEFT, 10.0, true, ACCENT, &cut(&line.email, 80));
            pages.down(5.0)?;
            pages.rule();
            lead_user = Some(line.email.clone());
            sum = 0;
        }
        sum += line.billed;
        pages.down(12.0)?;
        write_line(head, pages, &line);
    }
    end_of_user(head, pages, lead_user.is_some(), sum)
}

fn end_of_user(head: &Head, pages: &mut Pages, any: bool, sum: i64) -> io::Result<()> {
    if any {
        pages.down(14.0)?;
        pages.right(RIGHT, 9.0, true, BLACK, &head.money(sum));
        pages.down(20.0)?;
    }
    Ok(())
}

fn write_line(head: &Head, pages: &mut Pages, line: &Line) {
    let charged = line.billed > 0 || line.fate == "billed";
    let ink = if charged { BLACK } else { QUIET };
    pages.text(LEFT, 8.0, false, QUIET, &line.occurred_at.format("%m-%d %H:%M").to_string());
    pages.text(LEFT + 56.0, 8.0, false, ink, &cut(&line.product, 12));
    let what = format!("{} · {} · {}", line.lead_type, line.action_type, line.level);
    pages.text(LEFT + 116.0, 8.0, false, ink, &cut(&what, 48));
    let status = match (line.fate.as_str(), &line.own_period) {
        (fate, Some(period)) => format!("{} of {period}", say(fate)),
        ("not_billable", None) => line.reason.clone().unwrap_or_else(|| say("not_billable").to_owned()),
        (fate, None) => say(fate).to_owned(),
    };
    pages.text(LEFT + 310.0, 8.0, false, QUIET, &cut(&status, 26));
    pages.right(RIGHT - 56.0, 8.0, false, ink, &head.money(line.price));
    pages.right(RIGHT, 8.0, false, ink, &head.money(line.billed));
}

fn say(fate: &str) -> &str {
    match fate {
        "billed" => "billed",
        "duplicate" => "duplicate",
        "over_cap" => "over the cap",
        _ => "not billable",
    }
}

fn cut(text: &str, chars: usize) -> String {
    if text.chars().count() <= chars {
        return text.to_owned();
    }
    text.chars().take(chars.saturating_sub(1)).chain(['…']).collect()
}

const CATALOG: Ref = Ref::new(1);
const TREE: Ref = Ref::new(2);
const REGULAR: Ref = Ref::new(3);
const BOLD: Ref = Ref::new(4);
const COUNT: Ref = Ref::new(5);
const INFO: Ref = Ref::new(6);
const FIRST_PAGE: i32 = 10;

/// Pages that are written, and the one that is being filled.
struct Pages {
    pdf: Pdf,
    content: Content,
    y: f32,
    done: i32,
    footer: String,
}

impl Pages {
    fn begin(head: &Head) -> Self {
        let footer = format!(
            "{} · {} · version {} · {}",
            head.partner_slug, head.period, head.version, head.line_hash
        );
        Self { pdf: Pdf::new(), content: Content::new(), y: TOP, done: 0, footer }
    }

    /// Moves down; onto a new page where this one ends.
    fn down(&mut self, by: f32) -> io::Result<()> {
        self.y -= by;
        if self.y < BOTTOM {
            self.turn()?;
        }
        Ok(())
    }

    /// Turns the page unless that much fits on it.
    fn keep(&mut self, height: f32) -> io::Result<()> {
        if self.y - height < BOTTOM { self.turn() } else { Ok(()) }
    }

    fn text(&mut self, x: f32, size: f32, bold: bool, ink: Ink, text: &str) {
        let y = self.y;
        self.put(x, y, size, bold, ink, text);
    }

    /// Text that ends at `x`.
    fn right(&mut self, x: f32, size: f32, bold: bool, ink: Ink, text: &str) {
        let y = self.y;
        self.put(x - width(text, size), y, size, bold, ink, text);
    }

    fn put(&mut self, x: f32, y: f32, size: f32, bold: bool, [red, green, blue]: Ink, text: &str) {
        let bytes: Vec<u8> = text.chars().map(win_ansi).collect();
        self.content.begin_text();
        self.content.set_fill_rgb(red, green, blue);
        self.content.set_font(Name(if bold { b"B" } else { b"R" }), size);
        self.content.next_line(x, y);
        self.content.show(Str(&bytes));
        self.content.end_text();
    }

    /// A line across the page.
    fn rule(&mut self) {
        let [red, green, blue] = RULE;
        self.content.set_stroke_rgb(red, green, blue).set_line_width(0.7);
        self.content.move_to(LEFT, self.y).line_to(RIGHT, self.y).stroke();
    }

    fn turn(&mut self) -> io::Result<()> {
        let number = self.done + 1;
        let footer = std::mem::take(&mut self.footer);
        self.put(LEFT, 34.0, 7.0, false, QUIET, &footer);
        self.footer = footer;
        let page = format!("Page {number} of");
        self.put(RIGHT - 22.0 - width(&page, 8.0), 34.0, 8.0, false, QUIET, &page);
        // The number of pages is known at the end only: every page draws the same form.
        self.content.x_object(Name(b"Count"));
        let content = std::mem::replace(&mut self.content, Content::new()).finish();
        let packed = deflate(content.as_slice())?;
        let id = Ref::new(FIRST_PAGE + self.done * 2);
        let contents = Ref::new(FIRST_PAGE + self.done * 2 + 1);
        self.pdf.stream(contents, &packed).filter(Filter::FlateDecode);
        let mut page = self.pdf.page(id);
        page.media_box(Rect::new(0.0, 0.0, WIDTH, HEIGHT)).parent(TREE).contents(contents);
        let mut resources = page.resources();
        resources.fonts().pair(Name(b"R"), REGULAR).pair(Name(b"B"), BOLD);
        resources.x_objects().pair(Name(b"Count"), COUNT);
        resources.finish();
        page.finish();
        self.done = number;
        self.y = TOP;
        Ok(())
    }

    fn finish(mut self, head: &Head) -> io::Result<Vec<u8>> {
        self.turn()?;
        let mut count = Content::new();
        let [red, green, blue] = QUIET;
        let number = self.done.to_string();
        count.begin_text().set_fill_rgb(red, green, blue).set_font(Name(b"R"), 8.0);
        count.next_line(RIGHT - 19.0, 34.0).show(Str(number.as_bytes())).end_text();
        let count = count.finish();
        let mut form = self.pdf.form_xobject(COUNT, count.as_slice());
        form.bbox(Rect::new(0.0, 0.0, WIDTH, HEIGHT));
        form.resources().fonts().pair(Name(b"R"), REGULAR);
        form.finish();
        for (id, name) in [(REGULAR, b"Helvetica".as_slice()), (BOLD, b"Helvetica-Bold")] {
            self.pdf.type1_font(id).base_font(Name(name)).encoding_predefined(Name(b"WinAnsiEncoding"));
        }
        let pages = (0..self.done).map(|page| Ref::new(FIRST_PAGE + page * 2));
        self.pdf.pages(TREE).kids(pages).count(self.done);
        self.pdf.catalog(CATALOG).pages(TREE);
        let title = format!("Billing report {} {} version {}", head.partner_name, head.period, head.version);
        self.pdf.document_info(INFO).title(TextStr(&title)).producer(TextStr("Baton"));
        Ok(self.pdf.finish())
    }
}

fn deflate(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// The byte of a character in Windows code page 1252, which these fonts are encoded in; `?` for what it does not have.
fn win_ansi(character: char) -> u8 {
    match character {
        ' '..='~' | '\u{a0}'..='\u{ff}' => u8::try_from(u32::from(character)).unwrap_or(b'?'),
        '€' => 0x80,
        '…' => 0x85,
        '‘' => 0x91,
        '’' => 0x92,
        '“' => 0x93,
        '”' => 0x94,
        '–' => 0x96,
        '—' => 0x97,
        _ => b'?',
    }
}

/// How wide a text is, by Helvetica's widths (Adobe's font metrics); bold differs little where it is used.
fn width(text: &str, size: f32) -> f32 {
    let units: u32 = text.chars().map(|character| u32::from(advance(character))).sum();
    #[expect(clippy::cast_precision_loss, reason = "a line of text is short")]
    let units = units as f32;
    units * size / 1000.0
}

fn advance(character: char) -> u16 {
    const WIDTHS: [u16; 95] = [
        278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556,
        556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778,
        722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278,
        278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
        556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
    ];
    let place = u32::from(character).checked_sub(32).and_then(|place| usize::try_from(place).ok());
    place.and_then(|place| WIDTHS.get(place).copied()).unwrap_or(556)
}
