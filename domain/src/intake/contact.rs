//! Phones and e-mails of a record: every valid one is kept, the first as primary.

use compact_str::CompactString;

use super::assemble::{Draft, REQUIRED, issue};
use super::catalogue::Transform;
use super::plan::Step;
use super::rules::text::trim;
use super::rules::{Fault, email, phone};
use super::{Cells, codes};

const SEVERAL: Fault = Fault::new(
    codes::MULTIPLE_EMAILS,
    "The cell has several e-mails; the first is used, the others are kept.",
);
impl<C: Cells + ?Sized> Draft<'_, C> {
    /// Reads the phones of every column; the fallback's only when those give none.
    pub(super) fn phones(&mut self, step: &Step) {
        for slots in [&step.from, &step.fallback] {
            for &slot in slots {
                let cells = self.cells;
                for part in phone::split(cells.cell(slot)) {
                    match phone::normalise(part, &self.plan.settings.phone_regions) {
                        Ok(phone) => self.add_phone(phone),
                        Err(fault) => self.drop_contact(step, fault, part, slot),
                    }
                }
            }
            if self.lead.phone.is_some() {
                return;
            }
        }
        if step.required {
            self.reasons.push(issue(&step.name, REQUIRED, None));
        }
    }

    fn add_phone(&mut self, phone: phone::Phone) {
        match &self.lead.phone {
            None => (self.lead.phone, self.lead.phone_ext) = (Some(phone.number), phone.extension),
            Some(primary) if *primary == phone.number => {}
            Some(_) if self.lead.alt_phones.contains(&phone.number) => {}
            Some(_) => self.lead.alt_phones.push(phone.number),
        }
    }

    /// Reads the e-mails of every column; the fallback's only when those give none.
    pub(super) fn emails(&mut self, step: &Step) {
        for slots in [&step.from, &step.fallback] {
            for &slot in slots {
                let cells = self.cells;
                let cell = cells.cell(slot);
                for (index, part) in email::split(cell).enumerate() {
                    let address = match step.transform {
                        Transform::SpokenEmail => email::normalise_spoken(part),
                        _ => email::normalise(part),
                    };
                    match address {
                        Ok(address) => self.add_email(address),
                        Err(fault) => self.drop_contact(step, fault, part, slot),
                    }
                    if index == 1 {
                        self.warnings.push(issue(&step.name, SEVERAL, Some(cell)));
                    }
                }
            }
            if self.lead.email.is_some() {
                return;
            }
        }
        if step.required {
            self.reasons.push(issue(&step.name, REQUIRED, None));
        }
    }

    fn add_email(&mut self, address: CompactString) {
        match &self.lead.email {
            None => self.lead.email = Some(address),
            Some(primary) if *primary == address => {}
            Some(_) if self.lead.alt_emails.contains(&address) => {}
            Some(_) => self.lead.alt_emails.push(address),
        }
    }

    fn drop_contact(&mut self, step: &Step, fault: Fault, part: &str, slot: usize) {
        self.warnings.push(issue(&step.name, fault, Some(part)));
        self.keep(slot, trim(self.cells.cell(slot)));
    }
}
