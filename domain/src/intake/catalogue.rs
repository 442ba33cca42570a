//! The fields that a mapping can fill, and the transforms that read them.
//!
//! A mapping is a tenant's data, so a misspelt field must be refused by name when the mapping is saved
//! and not be noticed a month later as a column of blanks. Fields of the tenant's own are written `custom.<name>`.

/// How the text of a cell becomes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transform {
    /// Trimmed, white space collapsed.
    Text,
    /// Text in upper case.
    Upper,
    /// Text in lower case.
    Lower,
    /// Text recased as a place name when it came in one case only.
    City,
    /// Text recased as a person's name when it came in one case only.
    Name,
    /// First and last name, split at the first blank.
    FullName,
    /// A telephone number of the tenant's regions, E.164.
    Phone,
    /// An e-mail address.
    Email,
    /// An e-mail address that may be transcribed from speech: `jane dot roe at example dot com`.
    SpokenEmail,
    /// A street line after USPS Publication 28.
    Address,
    /// Two upper-case letters.
    State,
    /// Five digits and perhaps four more.
    Zip,
    /// A whole number between 300 and 850; words and ranges go to `credit_rating`.
    CreditScore,
    /// An exact amount, not negative.
    Money,
    /// A percentage.
    Rate,
    /// A loan-to-value ratio in percent.
    Ltv,
    /// Yes or no.
    Boolean,
    /// Yes or no, or an amount that means yes and goes to `cash_out_amount`.
    BooleanOrAmount,
    /// A calendar day.
    Date,
    /// A year in four digits, 1900 to next year.
    Year,
    /// A whole number.
    Integer,
}

impl Transform {
    /// Every transform.
    pub const ALL: [Self; 21] = [
        Self::Text,
        Self::Upper,
        Self::Lower,
        Self::City,
        Self::Name,
        Self::FullName,
        Self::Phone,
        Self::Email,
        Self::SpokenEmail,
        Self::Address,
        Self::State,
        Self::Zip,
        Self::CreditScore,
        Self::Money,
        Self::Rate,
        Self::Ltv,
        Self::Boolean,
        Self::BooleanOrAmount,
        Self::Date,
        Self::Year,
        Self::Integer,
    ];

    /// The word for it in a mapping.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Upper => "upper",
            Self::Lower => "lower",
            Self::City => "city",
            Self::Name => "name",
            Self::FullName => "full_name",
            Self::Phone => "phone",
            Self::Email => "email",
            Self::SpokenEmail => "spoken_email",
            Self::Address => "address",
            Self::State => "state",
            Self::Zip => "zip",
            Self::CreditScore => "credit_score",
            Self::Money => "money",
            Self::Rate => "rate",
            Self::Ltv => "ltv",
            Self::Boolean => "boolean",
            Self::BooleanOrAmount => "boolean_or_amount",
            Self::Date => "date",
            Self::Year => "year",
            Self::Integer => "integer",
        }
    }

    /// The transform of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|transform| transform.name() == name)
    }
}

/// Where a field's value lands in a [`Lead`](crate::lead::Lead).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    ExternalId,
    LeadType,
    Channel,
    FirstName,
    LastName,
    FullName,
    Phone,
    Email,
    Address,
    City,
    State,
    Zip,
    Detail,
}

/// One field of the catalogue.
#[derive(Debug)]
pub struct Field {
    /// Its name in mappings, details, warnings and payloads.
    pub name: &'static str,
    /// The transforms that a mapping may choose for it; the first is the default.
    pub transforms: &'static [Transform],
    /// Whether a change of it makes a revision. A repeat of the same lead with a later trigger date is
    /// a repeat.
    pub content: bool,
    pub(crate) target: Target,
}

/// The transforms that a `custom.<name>` field may choose; text is the default.
pub const CUSTOM_TRANSFORMS: &[Transform] = &[
    Transform::Text,
    Transform::Upper,
    Transform::Lower,
    Transform::Money,
    Transform::Rate,
    Transform::Boolean,
    Transform::Date,
    Transform::Integer,
];

/// The prefix of a tenant's own field.
pub const CUSTOM_PREFIX: &str = "custom.";

const WORDS: &[Transform] = &[Transform::Text, Transform::Upper, Transform::Lower];
const UPPER: &[Transform] = &[Transform::Upper, Transform::Text, Transform::Lower];
const LOWER: &[Transform] = &[Transform::Lower, Transform::Text, Transform::Upper];
const NAME: &[Transform] = &[Transform::Name, Transform::Text];

const fn contact(name: &'static str, target: Target, transforms: &'static [Transform]) -> Field {
    Field { name, transforms, content: true, target }
}

const fn detail(name: &'static str, transforms: &'static [Transform]) -> Field {
    Field { name, transforms, content: true, target: Target::Detail }
}

const fn occasion(name: &'static str, transforms: &'static [Transform]) -> Field {
    Field { name, transforms, content: false, target: Target::Detail }
}

/// Every known field: contact data first, then the details in order of their names.
pub const FIELDS: &[Field] = &[
    contact("external_id", Target::ExternalId, WORDS),
    contact("lead_type", Target::LeadType, WORDS),
    // One of five words, whichever of these a mapping has chosen.
    contact("channel", Target::Channel, LOWER),
    contact("first_name", Target::FirstName, NAME),
    contact("last_name", Target::LastName, NAME),
    contact("full_name", Target::FullName, &[Transform::FullName]),
    contact("phone", Target::Phone, &[Transform::Phone]),
    contact("email", Target::Email, &[Transform::Email, Transform::SpokenEmail]),
    contact("address", Target::Address, &[Transform::Address, Transform::Text]),
    contact("city", Target::City, &[Transform::City, Transform::Text]),
    contact("state", Target::State, &[Transform::State]),
    contact("zip", Target::Zip, &[Transform::Zip]),
    detail("bankruptcy", WORDS),
    detail("birth_date", &[Transform::Date]),
    occasion("caller_id", &[Transform::Phone, Transform::Text]),
    detail("cash_out", &[Transform::BooleanOrAmount, Transform::Boolean]),
    detail("cash_out_amount", &[Transform::Money]),
    detail("credit_rating", WORDS),
    detail("credit_score", &[Transform::CreditScore]),
    detail("down_payment", &[Transform::Money]),
    detail("foreclosure", WORDS),
    detail("found_home", &[Transform::Boolean]),
    detail("household_income", &[Transform::Money]),
    detail("loan_amount", &[Transform::Money]),
    detail("loan_purpose", WORDS),
    detail("loan_term", WORDS),
    detail("loan_type", UPPER),
    detail("ltv", &[Transform::Ltv]),
    detail("middle_name", NAME),
    detail("mortgage_balance", &[Transform::Money]),
    detail("mortgage_open_date", &[Transform::Date]),
    detail("mortgage_payment", &[Transform::Money]),
    detail("mortgage_rate", &[Transform::Rate]),
    detail("notes", &[Transform::Text]),
    detail("property_type", WORDS),
    detail("property_use", WORDS),
    detail("property_value", &[Transform::Money]),
    detail("purchase_price", &[Transform::Money]),
    detail("second_balance", &[Transform::Money]),
    detail("second_mortgage", &[Transform::Boolean]),
    detail("second_rate", &[Transform::Rate]),
    occasion("session_key", WORDS),
    detail("sms_consent", &[Transform::Boolean]),
    occasion("submitted_at", &[Transform::Text]),
    occasion("trigger_date", &[Transform::Date]),
    detail("va_eligible", &[Transform::Boolean]),
    detail("vehicle_make", WORDS),
    detail("vehicle_model", WORDS),
    detail("vehicle_year", &[Transform::Year]),
    detail("veteran", &[Transform::Boolean]),
    detail("vin", UPPER),
];

/// The field of that name; `custom.<name>` is none of the catalogue.
pub fn field(name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.name == name)
}

/// Whether a change of that detail makes a revision; a tenant's own details do.
pub fn is_content(name: &str) -> bool {
    !matches!(name, "caller_id" | "session_key" | "submitted_at" | "trigger_date")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_details_stand_in_order() {
        let details: Vec<_> =
            FIELDS.iter().filter(|field| field.target == Target::Detail).map(|field| field.name).collect();
        assert!(details.is_sorted_by(|left, right| left < right));
        for (index, field) in FIELDS.iter().enumerate() {
            assert!(FIELDS[..index].iter().all(|other| other.name != field.name), "{}", field.name);
        }
    }

    #[test]
    fn the_quick_answer_on_content_agrees_with_the_table() {
        for field in FIELDS {
            assert_eq!(is_content(field.name), field.content, "{}", field.name);
        }
    }

    #[test]
    fn every_transform_is_found_by_its_name() {
        for transform in Transform::ALL {
            assert_eq!(Transform::from_name(transform.name()), Some(transform));
        }
        assert_eq!(Transform::from_name("Money"), None);
    }
}
