//! The rules for who and where by a table: text in, value or code out.

use domain::intake::rules::{address, channel, email, name, phone, state, text, zip};
use domain::intake::{Regions, codes};

#[test]
fn phones_of_north_america() {
    let table = [
        ("3035550101", Ok("+13035550101")),
        ("(303) 555-0101", Ok("+13035550101")),
        ("303.555.0101", Ok("+13035550101")),
        ("+1 303 555 0101", Ok("+13035550101")),
        ("1-303-555-0101", Ok("+13035550101")),
        ("13035550101", Ok("+13035550101")),
        ("3035550108.0", Ok("+13035550108")),
        ("13035550108.0", Ok("+13035550108")),
        ("406 555 0121.", Ok("+14065550121")),
        ("303\u{a0}555\u{2011}0101", Ok("+13035550101")),
        ("3.0355501E+09", Err("scientific")),
        ("303-555-O142", Err("letters")),
        ("1-800-FLOWERS", Err("letters")),
        ("+44 20 7946 0958", Err("ten digits")),
        ("+3035550101", Err("ten digits")),
        ("303555010", Err("ten digits")),
        ("30355501011", Err("ten digits")),
        ("+15551234567", Err("area code")),
        ("9115550101", Err("area code")),
        ("1035550101", Err("area code")),
        ("3031550101", Err("exchange")),
        ("9999999999", Err("repeated")),
        ("303*555*0101", Err("ten digits")),
        ("", Err("ten digits")),
    ];
    for (given, wanted) in table {
        let found = phone::normalise(given, &Regions::default());
        match (&found, wanted) {
            (Ok(found), Ok(wanted)) => assert_eq!(found.number, wanted, "{given}"),
            (Err(fault), Err(word)) => {
                assert_eq!(fault.code, codes::INVALID_PHONE);
                assert!(fault.message.contains(word), "{given}: {}", fault.message);
            }
            _ => panic!("{given}: {found:?}"),
        }
    }
}

#[test]
fn extensions_are_split_off() {
    let table = [
        ("(303) 555-0111 x12", "12"),
        ("303-555-0111 ext. 4", "4"),
        ("3035550111 EXTENSION 1234", "1234"),
        ("3035550111x7", "7"),
        ("303 555 0111 #9", "9"),
    ];
    for (given, wanted) in table {
        let found = phone::normalise(given, &Regions::default()).expect(given);
        assert_eq!(
            (found.number.as_str(), found.extension.as_deref()),
            ("+13035550111", Some(wanted)),
            "{given}"
        );
    }
}

#[test]
fn phones_of_other_regions_need_to_be_accepted() {
    let france = Regions::from_codes(&["FR"]).expect("a region");
    let both = Regions::from_codes(&["us", "FR"]).expect("regions");
    let number =
        |text: &str, regions: &Regions| phone::normalise(text, regions).ok().map(|phone| phone.number);
    assert_eq!(number("06 12 34 56 78", &france).as_deref(), Some("+33612345678"));
    assert_eq!(number("+33 6 12 34 56 78", &both).as_deref(), Some("+33612345678"));
    assert_eq!(number("+33612345678", &both).as_deref(), Some("+33612345678"));
    assert_eq!(number("3035550101", &both).as_deref(), Some("+13035550101"));
    assert_eq!(number("3035550101", &france), None);
    assert_eq!(number("+44 20 7946 0958", &both), None);
    assert_eq!(number("06 12 34 56 7O", &france), None);
    assert_eq!(number("06 12 34 56 78", &Regions::default()), None);
    assert_eq!(Regions::from_codes(&["XX"]).unwrap_err().code, "XX");
    assert!(Regions::from_codes(&["France"]).is_err());
}

#[test]
fn a_cell_of_several_phones_is_split_and_placeholders_vanish() {
    let split = |text| phone::split(text).collect::<Vec<_>>();
    assert_eq!(split("7205550126/7205550127"), ["7205550126", "7205550127"]);
    assert_eq!(split(" 1 ; 2 , 3 | 4 "), ["1", "2", "3", "4"]);
    assert!(split("n/a").is_empty());
    assert!(split(" N/A ").is_empty());
    assert!(split("0000000000").is_empty());
    assert!(split("000-000-0000").is_empty());
    assert_eq!(split("O00-000-0000"), ["O00-000-0000"]);
}

#[test]
fn emails() {
    let good = [
        ("a@example.com", "a@example.com"),
        (" KAREN.WU@EXAMPLE.COM ", "karen.wu@example.com"),
        ("kara12+loan@example.com", "kara12+loan@example.com"),
        ("a@b.example.co.uk", "a@b.example.co.uk"),
        ("o'neil@example.org", "o'neil@example.org"),
    ];
    for (given, wanted) in good {
        assert_eq!(email::normalise(given).as_deref(), Ok(wanted));
    }
    let bad = [
        "",
        "bob[at]example.com",
        "bob@@example",
        "bob@example",
        "@example.com",
        "a@.com",
        "a@-x.com",
        "a..b@example.com",
        ".a@example.com",
        "a.@example.com",
        "a b@example.com",
        "a@exam_ple.com",
        "a@example.c",
        "a@example.123",
        "Jane <a@example.com>",
        "a@example.com.",
    ];
    for given in bad {
        assert_eq!(email::normalise(given).map_err(|fault| fault.code), Err(codes::INVALID_EMAIL), "{given}");
    }
    let long = format!("{}@example.com", "a".repeat(65));
    assert!(email::normalise(&long).is_err());
}

#[test]
fn spoken_emails() {
    let table = [
        ("jane dot roe at example dot com", "jane.roe@example.com"),
        ("Jane Underscore Roe At Example Dot Org.", "jane_roe@example.org"),
        ("j r dash 7 at example dot com", "jr-7@example.com"),
        ("jane.roe@example.com", "jane.roe@example.com"),
        ("matt at example dot com", "matt@example.com"),
    ];
    for (given, wanted) in table {
        assert_eq!(email::normalise_spoken(given).as_deref(), Ok(wanted), "{given}");
    }
    assert!(email::normalise_spoken("I do not have one").is_err());
    // Only where it is asked for: elsewhere it is no address.
    assert!(email::normalise("jane dot roe at example dot com").is_err());
}

#[test]
fn names() {
    let table = [
        ("MCDONALD", "McDonald"),
        ("mcdonald", "McDonald"),
        ("McDONALD", "McDONALD"),
        ("O\u{2019}BRIEN", "O\u{2019}Brien"),
        ("O'NEIL", "O'Neil"),
        ("VAN DER BERG", "Van der Berg"),
        ("DE LA CRUZ", "De la Cruz"),
        ("JOSÉ", "José"),
        ("MUÑOZ", "Muñoz"),
        ("ÁNGEL NÚÑEZ", "Ángel Núñez"),
        ("SMITH JR", "Smith Jr"),
        ("SMITH JR.", "Smith Jr."),
        ("smith iii", "Smith III"),
        ("LEFEBVRE-O'NEIL", "Lefebvre-O'Neil"),
        ("anne-marie", "Anne-Marie"),
        ("MARY'S", "Mary's"),
        ("Maria del Carmen", "Maria del Carmen"),
        ("  maria   del \n carmen ", "Maria del Carmen"),
        ("LE", "Le"),
        ("ANH LE", "Anh Le"),
        ("J.R.", "J.R."),
        ("j", "J"),
        ("VI", "Vi"),
        ("TEST01", "Test01"),
        ("MCA", "Mca"),
        ("", ""),
    ];
    for (given, wanted) in table {
        assert_eq!(name::person(given), wanted, "{given}");
    }
    assert_eq!(name::city("ST LOUIS"), "St Louis");
    assert_eq!(name::city("FOND DU LAC"), "Fond du Lac");
    assert_eq!(name::city("MCALLEN"), "McAllen");
    assert_eq!(name::city("ISLE OF PALMS"), "Isle of Palms");
    let full = |text| {
        let (first, last) = name::full(text);
        format!("{first}|{last}")
    };
    assert_eq!(full("Mary Ann Smith"), "Mary|Ann Smith");
    assert_eq!(full("Cher"), "Cher|");
    assert_eq!(full(" JUAN  DE LA CRUZ "), "Juan|De la Cruz");
    assert_eq!(full("Pat RIDER"), "Pat|RIDER");
}

#[test]
fn channels() {
    for (given, wanted) in [("sms", "sms"), (" SMS\u{a0}", "sms"), ("Voice", "voice"), ("WEB", "web")] {
        assert_eq!(channel::channel(given), Ok(Some(wanted.into())), "{given}");
    }
    assert_eq!(channel::channel(" "), Ok(None));
    for given in ["Fax", "sm s", "n/a", "phone", "\u{ff53}ms"] {
        let code = channel::channel(given).map_err(|fault| fault.code);
        assert_eq!(code, Err(codes::INVALID_FIELD), "{given}");
    }
}

#[test]
fn states() {
    for (given, wanted) in [
        ("CO", "CO"),
        ("co ", "CO"),
        ("Colorado", "CO"),
        ("new  york", "NY"),
        ("N.Y.", "NY"),
        ("D. C.", "DC"),
        ("Puerto Rico", "PR"),
        ("AE", "AE"),
        ("ontario", "ON"),
        ("Québec", "QC"),
    ] {
        assert_eq!(state::state(given), Ok(Some(wanted.into())), "{given}");
    }
    assert_eq!(state::state("  "), Ok(None));
    for given in ["ZZ", "Colorad", "C", "ÄÖ", "é", "CO CO", "12"] {
        assert_eq!(state::state(given).map_err(|fault| fault.code), Err(codes::UNKNOWN_STATE), "{given}");
    }
}

#[test]
fn zips() {
    let shown = |text| {
        zip::zip(text).map_err(|fault| fault.code).map(|zip| {
            zip.map(|zip| (zip.five.to_string(), zip.four.map(|four| four.to_string()), zip.note.is_some()))
        })
    };
    let found =
        |five: &str, four: Option<&str>, note| Ok(Some((five.to_owned(), four.map(str::to_owned), note)));
    assert_eq!(shown("80202"), found("80202", None, false));
    assert_eq!(shown(" 80202-1234 "), found("80202", Some("1234"), false));
    assert_eq!(shown("802021234"), found("80202", Some("1234"), false));
    assert_eq!(shown("80202 1234"), found("80202", Some("1234"), false));
    assert_eq!(shown("80203.0"), found("80203", None, false));
    assert_eq!(shown("2139"), found("02139", None, true));
    assert_eq!(shown("2139.0"), found("02139", None, true));
    assert_eq!(shown("901"), found("00901", None, true));
    assert_eq!(shown("21391234"), found("02139", Some("1234"), true));
    assert_eq!(shown("00901"), found("00901", None, false));
    assert_eq!(shown(""), Ok(None));
    for given in ["12", "123456", "80202-12", "K1A 0B1", "0000", "00000", "8020O", "-1234", "80202-", "ééééé"]
    {
        let wanted = if given == "80202-" { found("80202", None, false) } else { Err(codes::INVALID_ZIP) };
        assert_eq!(shown(given), wanted, "{given}");
    }
}

#[test]
fn addresses() {
    let table = [
        ("100 MAIN ST", "100 Main St"),
        ("1204.0 N PINE ST APT 4B", "1204 N Pine St Apt 4B"),
        ("9 PINE ST, BLDG \"C\"\nUNIT 7", "9 Pine St, Bldg \"C\" Unit 7"),
        ("123 MAIN STREET NORTHWEST APARTMENT 5", "123 Main St NW Apt 5"),
        ("P.O. BOX 1234", "PO Box 1234"),
        ("p o box 7", "PO Box 7"),
        ("POST OFFICE BOX 12", "PO Box 12"),
        ("12 OAK AVE", "12 Oak Ave"),
        ("12 oak avenue", "12 Oak Ave"),
        ("1 Elm St", "1 Elm St"),
        ("1 Elm Street", "1 Elm St"),
        ("123 NORTH STREET", "123 North St"),
        ("123 NORTH MAIN STREET", "123 N Main St"),
        ("12 COURT STREET", "12 Court St"),
        ("12 COURT", "12 Court"),
        ("100 AVENUE B", "100 Avenue B"),
        ("100 LAKE SHORE DRIVE EAST", "100 Lake Shore Dr E"),
        ("55 W 22ND STREET # 4", "55 W 22nd St # 4"),
        ("7 MCDONALD ROAD", "7 McDonald Rd"),
        ("100 US HIGHWAY 1", "100 US Highway 1"),
        ("MAIN STREET", "Main St"),
        ("10 MAIN ST SUITE 300", "10 Main St Ste 300"),
        ("10 FLOOR STREET", "10 Floor St"),
        ("123 McArthur Boulevard", "123 McArthur Blvd"),
        ("", ""),
    ];
    for (given, wanted) in table {
        assert_eq!(address::address(given), wanted, "{given}");
    }
}

#[test]
fn texts() {
    assert_eq!(text::tidy(" a\u{0}b \u{a0}\u{feff}c\r\n"), "a b c");
    assert_eq!(text::upper("conv"), "CONV");
    assert_eq!(text::upper("straße é"), "STRAßE É");
    assert_eq!(text::lower("ÀB"), "àb");
    assert_eq!(text::excerpt(&"é".repeat(300)).chars().count(), 200);
    assert_eq!(text::raw("a\0b"), "ab");
    for formula in ["=1+1", "=HYPERLINK(\"x\")", "@SUM(1)", "+cmd", "-(1)"] {
        assert!(text::looks_like_formula(formula), "{formula}");
    }
    for plain in ["", "=", "-", "-5", "+1 303", "a=b", "@"] {
        assert!(!text::looks_like_formula(plain), "{plain}");
    }
}
