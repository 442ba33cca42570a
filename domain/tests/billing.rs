//! The sample that the rules were agreed on, and what always holds.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta};
use chrono_tz::Tz;
use domain::billing::{
    Action, CapPer, CapSpec, Charged, Currency, DuplicateSpec, Fate, PlanSpec, Rated, Rules, SAMPLE_CSV,
    Settled, Sizes, Summary, Window, rate, rate_late,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::Config;
use uuid::Uuid;

const PRODUCTS: [&str; 11] = ["ABC", "DEF", "GHI", "JKL", "MNO", "PQR", "STU", "VWX", "YZA", "BCD", "EFG"];

fn rules(spec: &PlanSpec) -> Rules {
    Rules::new(spec, &PRODUCTS, Tz::UTC).expect("the plan is valid")
}

fn number(place: usize) -> u32 {
    u32::try_from(place).expect("a small number")
}

/// The sample, read as its columns stand.
fn sample(rules: &Rules) -> Vec<Action> {
    let mut reader = csv::Reader::from_reader(SAMPLE_CSV.as_bytes());
    let record = |(row, record): (usize, Result<csv::StringRecord, csv::Error>)| {
        let record = record.expect("a record");
        let at = DateTime::parse_from_rfc3339(&record[0]).expect("a time").timestamp_micros();
        let product = PRODUCTS.iter().position(|one| *one == &record[2]).expect("a product");
        Action {
            id: Uuid::from_u128(row as u128 + 1),
            at,
            user: 0,
            product: number(product),
            lead_type: rules.lead_type(&record[3]),
            action_type: rules.action_type(&record[4]),
            level: rules.level(&record[5]),
            before: false,
        }
    };
    reader.records().enumerate().map(record).collect()
}

fn rated(rules: &Rules, mut actions: Vec<Action>) -> Vec<(Action, Rated)> {
    let mut all = Vec::new();
    rate(rules, &mut actions, &Charged::default(), |action, rated| all.push((*action, rated)));
    all
}

fn summary(rated: &[(Action, Rated)]) -> Summary {
    let mut summary = Summary::new(Sizes { products: PRODUCTS.len(), lead_types: 11, users: 50, days: 0 });
    for (action, rated) in rated {
        summary.add(action, rated, Some(0));
    }
    summary
}

#[test]
fn the_sample_comes_out_to_the_cent() {
    let rules = rules(&PlanSpec::standard(Currency::USD));
    let actions = sample(&rules);
    assert_eq!(actions.len(), 20);
    let lines = rated(&rules, actions);
    let sums = summary(&lines);
    let totals = sums.totals;
    assert_eq!(
        (totals.gross, totals.billed, totals.duplicates, totals.over_cap, totals.not_billable),
        (19_400, 10_000, 9_000, 400, 0)
    );
    assert_eq!(totals.savings(), 9_400);
    assert_eq!((totals.actions, totals.duplicate_actions, totals.capped_actions), (20, 8, 1));
    let subtotals: Vec<i64> = sums.products.iter().map(|one| one.billed / 100).collect();
    assert_eq!(subtotals, [10, 7, 15, 20, 5, 2, 10, 5, 15, 5, 6]);
    let (_, last) = lines.last().expect("lines");
    assert_eq!((last.price, last.billed, last.over_cap, last.fate), (1_000, 600, 400, Fate::OverCap));
}

#[test]
fn the_sample_with_level_prices_alone() {
    let spec = PlanSpec { overrides: Vec::new(), ..PlanSpec::standard(Currency::USD) };
    let rules = rules(&spec);
    let totals = summary(&rated(&rules, sample(&rules))).totals;
    assert_eq!((totals.gross, totals.billed, totals.savings()), (15_400, 8_400, 7_000));
    assert_eq!((totals.duplicates, totals.over_cap), (7_000, 0));
}

#[test]
fn another_product_is_billed_for_itself_and_an_override_of_a_product_wins() {
    let mut spec = PlanSpec::standard(Currency::USD);
    let own = |product: Option<&str>, lead_type: Option<&str>, price: &str| domain::billing::OverrideSpec {
        product: product.map(str::to_owned),
        lead_type: lead_type.map(str::to_owned),
        action_type: None,
        level: None,
        price: price.to_owned(),
    };
    spec.overrides.push(own(Some("ABC"), None, "1.00"));
    spec.overrides.push(own(Some("ABC"), Some("Event"), "2.00"));
    let rules = rules(&spec);
    let action = |id, product, lead_type: &str| Action {
        id: Uuid::from_u128(id),
        at: 0,
        user: 0,
        product,
        lead_type: rules.lead_type(lead_type),
        action_type: rules.action_type("Click"),
        level: rules.level("High"),
        before: false,
    };
    let lines = rated(
        &rules,
        vec![action(1, 0, "Email Campaign"), action(2, 1, "Email Campaign"), action(3, 1, "Email Campaign")],
    );
    let prices: Vec<_> = lines.iter().map(|(_, rated)| (rated.price, rated.billed)).collect();
    assert_eq!(prices, [(100, 100), (1_500, 1_500), (1_500, 0)]);
    assert_eq!(lines[2].1.fate, Fate::Duplicate(Uuid::from_u128(2)));
    assert_eq!(rated(&rules, vec![action(1, 0, "Event")])[0].1.price, 200);
}

#[test]
fn a_lead_type_that_is_not_billable_says_why_and_an_unknown_one_costs_nothing() {
    let mut spec = PlanSpec::standard(Currency::USD);
    spec.lead_types[9].billable = false;
    spec.lead_types[9].reason = Some("newsletters are free this year".to_owned());
    let rules = rules(&spec);
    let mut actions = sample(&rules);
    actions[0].level = domain::billing::UNKNOWN;
    let lines = rated(&rules, actions);
    let refused: Vec<_> = lines
        .iter()
        .filter_map(|(_, rated)| match rated.fate {
            Fate::NotBillable(reason) => Some((rated.price, rules.explain(reason))),
            _ => None,
        })
        .collect();
    assert_eq!(refused, [(0, "the rate plan has no price for it"), (500, "newsletters are free this year")]);
}

#[test]
fn the_window_decides_what_a_repeat_is() {
    let click = |rules: &Rules, id, days: i64, before| Action {
        id: Uuid::from_u128(id),
        at: TimeDelta::days(days).num_microseconds().expect("in range"),
        user: 0,
        product: 0,
        lead_type: 0,
        action_type: rules.action_type("Click"),
        level: 0,
        before,
    };
    let repeats = |window, before_at| {
        let duplicates = DuplicateSpec { window, ..DuplicateSpec::default() };
        let rules = rules(&PlanSpec { duplicates, cap: None, ..PlanSpec::standard(Currency::USD) });
        let actions = vec![
            click(&rules, 1, before_at, true),
            click(&rules, 2, 100, false),
            click(&rules, 3, 107, false),
            click(&rules, 4, 115, false),
        ];
        rated(&rules, actions)
            .iter()
            .map(|(_, rated)| matches!(rated.fate, Fate::Duplicate(_)))
            .collect::<Vec<_>>()
    };
    assert_eq!(repeats(Window::Days(7), 90), [false, true, false]);
    assert_eq!(repeats(Window::Days(7), 95), [true, true, false]);
    assert_eq!(repeats(Window::Forever, 1), [true, true, true]);
}

#[test]
fn a_plan_that_makes_no_sense_names_its_field() {
    let good = PlanSpec::standard(Currency::USD);
    let refused = |change: &dyn Fn(&mut PlanSpec)| {
        let mut spec = good.clone();
        change(&mut spec);
        Rules::new(&spec, &PRODUCTS, Tz::UTC).expect_err("it is refused").field
    };
    assert_eq!(refused(&|spec| spec.levels.clear()), "levels");
    assert_eq!(refused(&|spec| spec.levels[1].price = "five".to_owned()), "levels.1.price");
    assert_eq!(refused(&|spec| spec.action_types.push("Click".to_owned())), "action_types");
    assert_eq!(refused(&|spec| spec.overrides[0].level = Some("Huge".to_owned())), "overrides.0.level");
    assert_eq!(refused(&|spec| spec.overrides.push(spec.overrides[0].clone())), "overrides.3.price");
    assert_eq!(
        refused(&|spec| spec.cap = Some(CapSpec { amount: "-1".to_owned(), per: CapPer::Period })),
        "cap.amount"
    );
    assert_eq!(refused(&|spec| spec.duplicates.window = Window::Days(0)), "duplicates.window");
    let text = serde_json::to_string(&good).expect("JSON");
    assert_eq!(serde_json::from_str::<PlanSpec>(&text).expect("it reads back"), good);
}

fn plan() -> impl Strategy<Value = PlanSpec> {
    let window = prop_oneof![Just(Window::Period), Just(Window::Forever), (1..9_u16).prop_map(Window::Days)];
    let cap = proptest::option::of((0..60_u32, prop_oneof![Just(CapPer::Period), Just(CapPer::Day)]));
    (window, cap, any::<bool>(), 0..3_usize).prop_map(|(window, cap, overrides, unbilled)| {
        let mut spec = PlanSpec::standard(Currency::USD);
        spec.duplicates.window = window;
        spec.cap = cap.map(|(amount, per)| CapSpec { amount: format!("{amount}.50"), per });
        if !overrides {
            spec.overrides.clear();
        }
        for lead_type in &mut spec.lead_types[..unbilled] {
            lead_type.billable = false;
        }
        spec
    })
}

/// Few values each, so that actions meet: lead users, products, types, moments.
fn actions() -> impl Strategy<Value = Vec<Action>> {
    let one = (0..40_i64, 0..3_u32, 0..2_u32, 0..4_u16, 0..3_u16, 0..4_u16);
    vec(one, 0..60).prop_map(|rows| {
        let row = |(at, (hours, user, product, lead_type, action_type, level)): (usize, _)| Action {
            id: Uuid::from_u128((at as u128 * 7919) % 1_000_003),
            at: TimeDelta::hours(hours * 6).num_microseconds().unwrap_or(0),
            user,
            product,
            lead_type,
            action_type,
            level,
            before: false,
        };
        rows.into_iter().enumerate().map(row).collect()
    })
}

proptest! {
    #![proptest_config(Config { failure_persistence: None, cases: 400, ..Config::default() })]

    #[test]
    fn gross_is_always_accounted_for(spec in plan(), actions in actions()) {
        let rules = rules(&spec);
        let many = actions.len();
        let lines = rated(&rules, actions);
        prop_assert_eq!(lines.len(), many);
        let sums = summary(&lines);
        let totals = sums.totals;
        prop_assert_eq!(totals.gross, totals.billed + totals.duplicates + totals.over_cap + totals.not_billable);
        prop_assert_eq!(totals.gross, lines.iter().map(|(_, rated)| rated.price).sum::<i64>());
        for groups in [&sums.products, &sums.lead_types, &sums.users, &sums.days] {
            let billed: i64 = groups.iter().map(|group| group.billed).sum();
            prop_assert!(groups.is_empty() || billed == totals.billed);
        }
    }

    #[test]
    fn nobody_is_billed_above_the_cap(spec in plan(), actions in actions()) {
        let rules = rules(&spec);
        let Some(cap) = rules.cap() else { return Ok(()) };
        let daily = spec.cap.as_ref().is_some_and(|cap| cap.per == CapPer::Day);
        let mut billed: HashMap<(u32, i64), i64> = HashMap::new();
        for (action, rated) in rated(&rules, actions) {
            let span = if daily { action.at.div_euclid(86_400_000_000) } else { 0 };
            *billed.entry((action.user, span)).or_default() += rated.billed;
        }
        prop_assert!(billed.values().all(|sum| *sum <= cap), "{:?} over {}", billed, cap);
    }

    #[test]
    fn the_order_of_arrival_changes_nothing(
        spec in plan(),
        (actions, shuffled) in actions().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
    ) {
        let rules = rules(&spec);
        prop_assert_eq!(rated(&rules, actions), rated(&rules, shuffled));
    }

    #[test]
    fn one_more_action_never_lowers_gross(spec in plan(), actions in actions()) {
        let rules = rules(&spec);
        let Some((_, fewer)) = actions.split_last() else { return Ok(()) };
        let less = summary(&rated(&rules, fewer.to_vec())).totals;
        let more = summary(&rated(&rules, actions.clone())).totals;
        prop_assert!(more.gross >= less.gross);
    }

    /// The rule as one would say it: of each key the first is no repeat; what is left is billed until the cap is reached.
    #[test]
    fn it_is_what_the_plain_rule_says(actions in actions()) {
        let rules = rules(&PlanSpec::standard(Currency::USD));
        let mut plain = actions.clone();
        plain.sort_by_key(|action| (action.at, action.id));
        let mut seen = Vec::new();
        let mut charged: HashMap<u32, i64> = HashMap::new();
        let mut expected: HashMap<Uuid, (i64, bool)> = HashMap::new();
        for action in &plain {
            // Levels beyond the plan's three are not billable.
            if action.level > 2 {
                expected.insert(action.id, (0, false));
                continue;
            }
            let key = (action.user, action.product, action.action_type, action.level);
            if seen.contains(&key) {
                expected.insert(action.id, (0, true));
                continue;
            }
            seen.push(key);
            let price = [1_000, 500, 200][usize::from(action.level)];
            let sum = charged.entry(action.user).or_default();
            let billed = price.min(10_000 - *sum);
            *sum += billed;
            expected.insert(action.id, (billed, false));
        }
        for (action, rated) in rated(&rules, actions) {
            let found = (rated.billed, matches!(rated.fate, Fate::Duplicate(_)));
            prop_assert_eq!(found, expected[&action.id]);
        }
    }

    /// Whatever comes in after the close: what was billed stays, the cap holds over both, and all of it adds up.
    #[test]
    fn late_actions_leave_the_closed_period_alone(actions in actions(), cut in 0..60_usize) {
        let rules = rules(&PlanSpec::standard(Currency::USD));
        let (first, late) = actions.split_at(cut.min(actions.len()));
        let closed = rated(&rules, first.to_vec());
        let settled: Vec<Settled> =
            closed.iter().map(|(action, rated)| Settled { action: *action, billed: rated.billed }).collect();
        let mut lines = closed;
        rate_late(&rules, &settled, &mut late.to_vec(), |action, rated| lines.push((*action, rated)));
        let totals = summary(&lines).totals;
        prop_assert_eq!(totals.gross, totals.billed + totals.duplicates + totals.over_cap + totals.not_billable);
        prop_assert_eq!(totals.gross, summary(&rated(&rules, actions.clone())).totals.gross);
        let mut billed: HashMap<u32, i64> = HashMap::new();
        for (action, rated) in &lines {
            *billed.entry(action.user).or_default() += rated.billed;
        }
        prop_assert!(billed.values().all(|sum| *sum <= 10_000));
    }
}
