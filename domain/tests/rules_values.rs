//! The rules for numbers, answers and dates by a table: text in, value or code out.

use chrono::NaiveDate;
use domain::intake::codes;
use domain::intake::rules::{boolean, credit, date, number};
use rust_decimal::Decimal;

fn decimal(text: &str) -> Decimal {
    text.parse().expect("a decimal")
}

#[test]
fn money() {
    let table = [
        ("250000", Ok(Some("250000"))),
        ("$312,450.55", Ok(Some("312450.55"))),
        ("412,000", Ok(Some("412000"))),
        ("1900.00", Ok(Some("1900"))),
        ("450K", Ok(Some("450000"))),
        ("$1.25M", Ok(Some("1250000"))),
        (".01", Ok(Some("0.01"))),
        ("0.01 USD", Ok(Some("0.01"))),
        ("US$ 5", Ok(Some("5"))),
        ("0", Ok(Some("0"))),
        ("", Ok(None)),
        ("  ", Ok(None)),
        ("(1,250.00)", Err(codes::NEGATIVE_MONEY)),
        ("-5", Err(codes::NEGATIVE_MONEY)),
        ("$-5", Err(codes::NEGATIVE_MONEY)),
        ("see notes", Err(codes::INVALID_MONEY)),
        ("$500,000 - $550,000", Err(codes::INVALID_MONEY)),
        ("1,5", Err(codes::INVALID_MONEY)),
        ("1.150,00", Err(codes::INVALID_MONEY)),
        ("1,1500", Err(codes::INVALID_MONEY)),
        (",150", Err(codes::INVALID_MONEY)),
        ("(-5)", Err(codes::INVALID_MONEY)),
        ("$", Err(codes::INVALID_MONEY)),
        ("K", Err(codes::INVALID_MONEY)),
        ("2.5E+05", Err(codes::INVALID_MONEY)),
        ("1234567890123456789", Err(codes::INVALID_MONEY)),
    ];
    for (given, wanted) in table {
        let found = number::money(given).map_err(|fault| fault.code);
        assert_eq!(found, wanted.map(|amount| amount.map(decimal)), "{given}");
    }
    assert_eq!(number::signed_money("(1,250.00)"), Ok(Some(decimal("-1250"))));
}

#[test]
fn rates_and_ratios() {
    assert_eq!(number::rate("6.875%"), Ok(Some(decimal("6.875"))));
    assert_eq!(number::rate("4.25"), Ok(Some(decimal("4.25"))));
    assert_eq!(number::rate(""), Ok(None));
    for given in ["-1", "101", "six", "%"] {
        assert_eq!(number::rate(given).map_err(|fault| fault.code), Err(codes::INVALID_RATE), "{given}");
    }
    let ltv = |text| {
        number::ltv(text)
            .map_err(|fault| fault.code)
            .map(|value| value.map(|(value, note)| (value, note.map(|note| note.code))))
    };
    assert_eq!(ltv("55.6"), Ok(Some((decimal("55.6"), None))));
    assert_eq!(ltv("0.8"), Ok(Some((decimal("80"), Some(codes::LTV_FRACTION)))));
    assert_eq!(ltv("2"), Ok(Some((decimal("200"), Some(codes::LTV_FRACTION)))));
    assert_eq!(ltv("80%"), Ok(Some((decimal("80"), None))));
    assert_eq!(ltv(""), Ok(None));
    for given in ["0", "0.01", "0.8%", "201", "-1", "high"] {
        assert_eq!(ltv(given), Err(codes::INVALID_LTV), "{given}");
    }
}

#[test]
fn credit_scores() {
    use credit::Credit;
    let credit = |text| credit::credit(text).map_err(|fault| fault.code);
    for (given, wanted) in [("712", 712), ("725.0", 725), (" 742 ", 742), ("300", 300), ("850", 850)] {
        assert_eq!(credit(given), Ok(Some(Credit::Score(wanted))));
    }
    for given in ["9002", "0", "851", "299", "N/A", "712.5", "-712", "A"] {
        assert_eq!(credit(given), Err(codes::INVALID_CREDIT_SCORE), "{given}");
    }
    for given in ["Excellent (720+)", "680-719", "720+", "Fair"] {
        match credit(given) {
            Ok(Some(Credit::Rating(rating, note))) => {
                assert_eq!((rating.as_str(), note.code), (given, codes::CREDIT_RATING));
            }
            other => panic!("{given}: {other:?}"),
        }
    }
    assert_eq!(credit(""), Ok(None));
}

#[test]
fn answers() {
    for given in ["yes", "Y", " true ", "T", "1"] {
        assert_eq!(boolean::boolean(given), Ok(Some(true)), "{given}");
    }
    for given in ["no", "N", "false", "F", "0", "None"] {
        assert_eq!(boolean::boolean(given), Ok(Some(false)), "{given}");
    }
    assert_eq!(boolean::boolean(" "), Ok(None));
    for given in ["Maybe", "2", "yess", "nein", "é", "unknown"] {
        assert_eq!(
            boolean::boolean(given).map_err(|fault| fault.code),
            Err(codes::INVALID_BOOLEAN),
            "{given}"
        );
    }
    let either = |text| boolean::boolean_or_amount(text).map_err(|fault| fault.code);
    assert_eq!(either("$45,000"), Ok(Some((true, Some(decimal("45000"))))));
    assert_eq!(either("$0"), Ok(Some((false, None))));
    assert_eq!(either("No"), Ok(Some((false, None))));
    assert_eq!(either("some"), Err(codes::INVALID_BOOLEAN));
}

#[test]
fn dates() {
    let ides = NaiveDate::from_ymd_opt(2019, 3, 15);
    for given in [
        "2019-03-15",
        "2019-3-15",
        "2019/03/15",
        "2019-03-15T10:00:00Z",
        "2019-03-15 00:00:00",
        "2019-03-15T01:02:03.004+02:00",
        "03/15/2019",
        "3/15/2019",
        "03-15-2019",
        "3/15/2019 12:00 AM",
        "20190315",
        "43539",
        "43539.0",
        "43539.75",
        "43539.1234567890123456",
        "15-Mar-2019",
        "15 March 2019",
        "Mar 15, 2019",
        "March 15 2019",
    ] {
        assert_eq!(date::date(given), Ok(ides), "{given}");
    }
    assert_eq!(date::date("  "), Ok(None));
    for given in ["Mar-19", "19-Mar", "March 2019"] {
        assert_eq!(date::date(given).map_err(|fault| fault.code), Err(codes::AMBIGUOUS_DATE), "{given}");
    }
    for given in [
        "31/12/2019",
        "2019-02-29",
        "2019-13-01",
        "03/15/19",
        "0000-00-00",
        "1",
        "123456",
        "2019-03-15x",
        "15.03.2019",
        "soon",
        "12-2019",
        "2019-03-15-01",
        "99999999",
        "éééééééé",
        "1/2/3/4",
    ] {
        assert_eq!(date::date(given).map_err(|fault| fault.code), Err(codes::INVALID_DATE), "{given}");
    }
}

#[test]
fn years_and_whole_numbers() {
    assert_eq!(number::year("2020", 2026), Ok(Some(2020)));
    assert_eq!(number::year("2027", 2026), Ok(Some(2027)));
    assert_eq!(number::year("1900.0", 2026), Ok(Some(1900)));
    assert_eq!(number::year("", 2026), Ok(None));
    for given in ["2028", "2099", "1899", "twenty twenty", "20", "20200"] {
        assert_eq!(
            number::year(given, 2026).map_err(|fault| fault.code),
            Err(codes::INVALID_YEAR),
            "{given}"
        );
    }
    assert_eq!(number::integer("1,234.0"), Ok(Some(1234)));
    assert_eq!(number::integer("-7"), Ok(Some(-7)));
    assert!(number::integer("1.5").is_err());
}
