//! A report as JSON: amounts as decimal text.

use std::io::{self, Write};

use domain::billing::{Currency, Totals};
use serde_json::{Value, json};

use super::Head;
use crate::billing::rating::Line;

pub(super) fn write(head: &Head, lines: impl Iterator<Item = Line>, mut out: impl Write) -> io::Result<()> {
    let figures = &head.figures;
    let currency = head.currency;
    let top = json!({
        "report": head.report,
        "tenant": head.tenant_name,
        "partner": { "slug": head.partner_slug, "name": head.partner_name },
        "period": head.period.to_string(),
        "period_start": head.period.start,
        "period_end": head.period.end,
        "time_zone": head.time_zone,
        "version": head.version,
        "reason": head.reason,
        "rate_plan": head.plan,
        "currency": currency,
        "closed_at": head.closed_at,
        "input_sha256": head.input_hash,
        "csv_sha256": head.line_hash,
        "totals": totals(currency, &figures.totals),
        "adjustments": totals(currency, &figures.adjustments),
        "savings_explained": head.savings_explained(),
        "products": figures.products.iter().map(|one| {
            json!({ "slug": one.slug, "name": one.name, "totals": totals(currency, &one.totals) })
        }).collect::<Vec<_>>(),
        "lead_types": figures.lead_types.iter().map(|one| {
            json!({ "name": one.name, "totals": totals(currency, &one.totals) })
        }).collect::<Vec<_>>(),
        "line_count": head.line_count,
    });
    let text = serde_json::to_string_pretty(&top)?;
    // The lines are the last member of the same object, written as they come.
    out.write_all(text.trim_end_matches(['}', '\n']).as_bytes())?;
    out.write_all(b",\n  \"lines\": [")?;
    for (at, line) in lines.enumerate() {
        out.write_all(if at == 0 { b"\n    " } else { b",\n    " })?;
        serde_json::to_writer(&mut out, &self::line(currency, &line))?;
    }
    out.write_all(b"\n  ]\n}\n")?;
    out.flush()
}

fn totals(currency: Currency, totals: &Totals) -> Value {
    json!({
        "actions": totals.actions,
        "gross": currency.show(totals.gross),
        "billed": currency.show(totals.billed),
        "savings": currency.show(totals.savings()),
        "duplicates": currency.show(totals.duplicates),
        "over_cap": currency.show(totals.over_cap),
        "not_billable": currency.show(totals.not_billable),
        "duplicate_actions": totals.duplicate_actions,
        "capped_actions": totals.capped_actions,
        "unbilled_actions": totals.unbilled_actions,
    })
}

fn line(currency: Currency, line: &Line) -> Value {
    json!({
        "line": line.line,
        "email": line.email,
        "product": line.product,
        "lead_type": line.lead_type,
        "action_type": line.action_type,
        "level": line.level,
        "occurred_at": line.occurred_at,
        "amount": currency.show(line.price),
        "billed": currency.show(line.billed),
        "over_cap": currency.show(line.over_cap),
        "status": line.fate,
        "reason": line.reason,
        "duplicate_of": line.duplicate_of,
        "own_period": line.own_period,
        "action": line.action,
    })
}
