//! The program from end to end, as a person at a terminal uses it: the built binary, a data folder of its own, a real private
//! Postgres. One test walks through everything beside a running server, because each start of a Postgres costs a second.

#[path = "cli/program.rs"]
mod program;
#[path = "cli/terminal.rs"]
mod terminal;

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use terminal::{Ended, Server, Terminal, fixture, signal, text, wait_for_handler};

#[test]
fn wrong_usage_ends_with_2_and_says_what_would_be_right() {
    let mut terminal = Terminal::new();
    for (arguments, hint) in [
        (&["bogus"][..], "--help"),
        (&["leads", "list"], "--tenant SLUG"),
        (
            &["user", "create", "a@example.com", "--tenant", "acme", "--role", "king"],
            "owner, admin, manager, agent, partner",
        ),
        (&["failed", "retry", "lead_01h455vb4pex5vsknk084sn02q", "--tenant", "acme"], "of kind `delivery`"),
        (
            &["sla", "cases", "--after", "lead_01h455vb4pex5vsknk084sn02q", "--tenant", "acme"],
            "of kind `case`",
        ),
        (&["import", "--source", "experian", "--tenant", "acme"], "FILE"),
        (&["migrate", "down"], "--yes"),
        (
            &["leads", "list", "--tenant", "acme", "--output", "pdf"],
            "xlsx and pdf are of `baton billing report`; here it is table, json or csv",
        ),
        (&["tenant", "list", "--config", "nowhere.toml"], "nowhere.toml"),
    ] {
        let ended = terminal.run(arguments);
        assert_eq!(ended.code, 2, "{arguments:?}: {ended:?}");
        assert!(ended.err.contains(hint) && ended.out.is_empty(), "{arguments:?}: {ended:?}");
    }
    terminal.environment = vec![("BATON_HTTP__PORT", "80".to_owned())];
    let ended = terminal.run(&["tenant", "list"]);
    assert!(ended.code == 2 && ended.err.contains("port") && ended.err.contains("listen"), "{ended:?}");
    assert!(!terminal.folder.path().join("data").exists(), "nothing was made");
}

#[test]
fn settings_and_schema_are_printed_without_opening_anything() {
    let terminal = Terminal::new();
    let settings = terminal.run(&["config"]);
    assert!(settings.code == 0 && settings.out.contains("[delivery]"), "{settings:?}");
    // What it prints can be used as it is.
    std::fs::write(terminal.folder.path().join("baton.toml"), &settings.out).expect("written");
    let schema = terminal.run(&["schema", "--config", "baton.toml"]);
    assert!(schema.code == 0 && schema.out.contains("type Query"), "{schema:?}");
    assert!(!terminal.folder.path().join("data").exists(), "nothing was made");
}

/// A private cluster cannot be looked at where it cannot be: the rest can.
#[test]
fn the_doctor_tells_of_the_disk_when_the_data_folder_cannot_be_used() {
    let terminal = Terminal::new();
    std::fs::write(terminal.folder.path().join("data"), "").expect("a file in its place");
    let ended = terminal.run(&["doctor", "--output", "json"]);
    let findings = ended.json();
    let state = |name: &str| {
        let found = findings.as_array().expect("findings").iter().find(|finding| finding["name"] == name);
        found.map(|finding| finding["state"].clone())
    };
    assert_eq!((ended.code, state("data folder")), (1, Some(json!("fail"))), "{findings}");
    assert!(state("disk").is_some() && state("server").is_none(), "{findings}");
}

/// From an empty folder to leads and back to their refused records, as the README tells it.
#[test]
fn first_use() {
    let mut terminal = Terminal::new();
    let tenant =
        terminal.json(&["tenant", "create", "acme", "--name", "Acme", "--time-zone", "America/Denver"]);
    assert!(
        tenant["slug"] == "acme" && tenant["id"].as_str().is_some_and(|id| id.starts_with("tenant_")),
        "{tenant}"
    );
    let again = terminal.run(&["tenant", "create", "acme"]);
    assert!(again.code == 1 && again.err.contains("already"), "{again:?}");
    terminal.environment.push(("BATON_TENANT", "acme".to_owned()));
    let server = Server::start(&terminal);
    let unreadable = terminal.run(&["tenant", "create", "globex", "--name", "two\nlines"]);
    assert!(unreadable.code == 1 && unreadable.err.contains("printable"), "{unreadable:?}");
    users(&terminal);
    providers(&mut terminal);
    sources_and_destinations(&terminal);
    imports(&terminal);
    refused_records(&terminal);
    leads_and_deliveries(&terminal);
    assert_eq!(terminal.json(&["sla", "cases", "--open"]), json!([]), "no threshold, no case");
    billing(&terminal);
    an_interrupted_import_goes_on(&terminal);
    doctor(&terminal);
    let running = terminal.folder.path().join("data/postgres/data/postmaster.pid");
    assert!(running.exists(), "the commands have left the server its Postgres");
    assert_eq!(server.stop(), 0);
    assert!(!running.exists(), "the last one out stops it");
}

fn users(terminal: &Terminal) {
    let made = terminal.json(&["user", "create", "ada@example.com", "--role", "admin"]);
    assert!(made["password"].as_str().is_some_and(|password| password.len() >= 20), "{made}");
    let chosen = terminal.run_with_input(
        &["user", "create", "bob@example.com", "--role", "member", "-o", "json"],
        "correct horse battery\n",
    );
    assert!(chosen.code == 0 && chosen.json()["password"].is_null(), "{chosen:?}");
    let weak = terminal.run_with_input(&["user", "create", "eve@example.com", "--role", "member"], "short\n");
    assert!(weak.code == 1 && !weak.err.contains("short\n"), "{weak:?}");
    let listed = terminal.json(&["user", "list"]);
    assert_eq!(listed.as_array().map(Vec::len), Some(2), "{listed}");
}

fn providers(terminal: &mut Terminal) {
    terminal.environment.push(("BATON_CLIENT_SECRET", "0123 of this client".to_owned()));
    let add = |kind: &'static str| {
        vec![
            "provider",
            "add",
            "plain",
            "--kind",
            kind,
            "--issuer",
            "https://id.example.com",
            "--client-id",
            "baton",
        ]
    };
    let incomplete = terminal.run(&add("oauth2"));
    assert!(incomplete.code == 2 && incomplete.err.contains("--userinfo-url"), "{incomplete:?}");
    let endpoints = [
        "--authorization-url",
        "https://id.example.com/auth",
        "--token-url",
        "https://id.example.com/token",
        "--userinfo-url",
        "https://id.example.com/me",
        "--join-domain",
        "example.com",
    ];
    let made = terminal.json(&[add("oauth2"), endpoints.to_vec()].concat());
    let redirect = made["redirect_url"].as_str().unwrap_or_default();
    assert!(redirect.ends_with("/t/acme/oauth/plain/callback") && made["kind"] == "oauth2", "{made}");
    assert!(!made.to_string().contains("0123"), "{made}");
    terminal.environment.pop();
    assert_eq!(terminal.json(&["provider", "list"])[0]["slug"], "plain");
    assert_eq!(terminal.run(&["provider", "remove", "plain"]).code, 0);
    assert_eq!(terminal.json(&["provider", "list"]).as_array().map(Vec::len), Some(0));
    assert_eq!(terminal.run(&["provider", "remove", "plain"]).code, 1);
    let log = terminal.json(&["audit", "list"]).to_string();
    assert!(log.contains("sign_in.provider_created") && log.contains("sign_in.provider_removed"), "{log}");
}

fn sources_and_destinations(terminal: &Terminal) {
    for kind in ["experian", "transunion", "leadsource"] {
        terminal.json(&["source", "add", kind, "--kind", kind]);
    }
    let token = terminal.json(&["source", "token", "leadsource"]);
    assert!(token["token"].as_str().is_some_and(|token| token.len() > 30), "{token}");
    let private = terminal.run(&[
        "destination",
        "add",
        "crm",
        "--kind",
        "bonzo",
        "--url",
        "http://127.0.0.1:9/secret-part",
    ]);
    assert!(private.code == 1 && private.err.contains("https://"), "{private:?}");
    assert!(!private.err.contains("secret-part"), "{private:?}");
    let url = "https://crm.example.com/hook/0123456789abcdef";
    let webhook = terminal.json(&["destination", "add", "crm", "--kind", "webhook", "--url", url]);
    assert!(
        webhook["signing_secret"].as_str().is_some_and(|secret| secret.starts_with("whsec_")),
        "{webhook}"
    );
    let listed = terminal.run(&["destination", "list"]);
    assert!(listed.out.contains("crm.example.com") && !listed.out.contains("0123456789"), "{listed:?}");
}

fn imports(terminal: &Terminal) {
    let expected: Value =
        serde_json::from_slice(&std::fs::read(fixture("expected.json")).expect("a fixture")).expect("JSON");
    for (file, source) in
        [("experian.csv", "experian"), ("transunion.csv", "transunion"), ("leadsource.json", "leadsource")]
    {
        let wanted = |outcome: &str| expected["counts"][file][outcome].as_i64().unwrap_or(0);
        let path = fixture(file);
        let arguments = ["import", "--source", source, text(&path), "--output", "json"];
        let first = terminal.run(&arguments);
        // Each of the files has records that are refused.
        assert_eq!(first.code, 3, "{first:?}");
        let row = first.json();
        for (field, outcome) in [
            ("records", "records"),
            ("accepted", "accept"),
            ("warned", "warn"),
            ("updated", "update"),
            ("duplicates", "duplicate"),
            ("rejected", "reject"),
            ("skipped", "skip"),
        ] {
            assert_eq!(row[field], json!(wanted(outcome)), "{file} {field}");
        }
        let again = terminal.run(&arguments).json();
        assert_eq!(
            (&again["accepted"], &again["warned"], &again["updated"]),
            (&json!(0), &json!(0), &json!(0))
        );
    }
    let empty = terminal.folder.path().join("empty.csv");
    std::fs::write(&empty, "").expect("written");
    let (good, arguments) = (fixture("experian.csv"), ["import", "--source", "experian", "-o", "json"]);
    let several = terminal.run(&[&arguments[..], &[text(&empty), text(&good), "nowhere.csv"]].concat());
    let rows = several.json();
    let states: Vec<_> =
        rows.as_array().expect("one a file").iter().map(|row| row["state"].as_str()).collect();
    assert_eq!((several.code, states), (1, vec![Some("failed"), Some("done"), Some("failed")]), "{rows}");
    assert!(several.err.contains("nowhere.csv") && several.err.contains("empty.csv"), "{}", several.err);
}

fn refused_records(terminal: &Terminal) {
    let open = terminal.json(&["records", "list", "--limit", "100"]);
    let open = open.as_array().expect("a list");
    let one = open
        .iter()
        .find(|record| record["record"] == 6 && record["raw"].to_string().contains("FAY"))
        .expect("record 6");
    let (id, import) = (one["id"].as_str().expect("an id"), one["import"].as_str().expect("an import"));
    assert_eq!(one["codes"], json!(["MISSING_CONTACT"]));
    let export = terminal.run(&["records", "export", "--import", import]);
    assert!(
        export.code == 0 && export.out.contains("MISSING_CONTACT") && export.out.contains("FAY"),
        "{export:?}"
    );
    let wrong = terminal.run(&["records", "correct", id, "--set", "Telephone # 1=12"]);
    assert_eq!(wrong.code, 3, "{wrong:?}");
    let right = terminal.json(&["records", "correct", id, "--set", "Telephone # 1=303 555 0199"]);
    assert_eq!(right["outcome"], "accepted");
    let twice = terminal.run(&["records", "correct", id, "--set", "Telephone # 1=303 555 0199"]);
    assert!(twice.code == 1 && twice.err.contains("corrected already"), "{twice:?}");
}

fn leads_and_deliveries(terminal: &Terminal) {
    let found = terminal.json(&["leads", "list", "--search", "Fay"]);
    let lead = &found[0];
    assert_eq!(
        (&lead["last_name"], &lead["phone"], &lead["status"]),
        (&json!("Long"), &json!("+13035550199"), &json!("pending"))
    );
    let whole = terminal.json(&["leads", "show", lead["id"].as_str().expect("an id")]);
    let journey: Vec<_> =
        whole["journey"].as_array().expect("steps").iter().map(|step| step["event"].as_str()).collect();
    assert!(journey.contains(&Some("corrected")), "{whole}");
    assert_eq!(whole["deliveries"][0]["destination"], "crm");
    let csv = terminal.run(&["leads", "list", "--limit", "100", "--output", "csv"]);
    let lines: Vec<_> = csv.out.lines().collect();
    assert!(lines.len() > 50 && lines[0].starts_with("id,received_at,source,status"), "{csv:?}");
    // A formula that came as a name stays text in every export.
    assert!(
        csv.out
            .lines()
            .all(|line| !line.split(',').any(|cell| cell.starts_with('=') || cell.starts_with("\"="))),
        "{csv:?}"
    );
    assert_eq!(terminal.json(&["failed", "list"]), json!([]));
    assert_eq!(terminal.json(&["failed", "retry-all"])["retried"], 0);
    let pending = terminal.json(&["deliveries", "list", "--state", "pending", "--limit", "1"]);
    let id = pending[0]["id"].as_str().expect("a pending delivery");
    let refused = terminal.run(&["failed", "retry", id]);
    assert!(refused.code == 1 && refused.err.contains("pending"), "{refused:?}");
}

/// A closed report's file is asked for as any other result is, by `--output`.
fn billing(terminal: &Terminal) {
    terminal.json(&["billing", "product", "add", "ABC"]);
    terminal.json(&["billing", "plan", "add", "standard", "--effective-from", "2024-01-01"]);
    let email = ["--email", "billing@northwind.example"];
    let partner = ["billing", "partner", "add", "northwind", "--plan", "standard"];
    terminal.json(&[&partner[..], &email].concat());
    let actions = terminal.folder.path().join("actions.csv");
    let action = "ann@example.com,ABC,Event,Click,High,2024-01-05T12:00:00Z";
    let header = "email,product,lead_type,action_type,level,occurred_at";
    std::fs::write(&actions, format!("{header}\n{action}\n")).expect("written");
    terminal.json(&["billing", "import", "--partner", "northwind", text(&actions)]);
    let month = ["--partner", "northwind", "--period", "2024-01"];
    let report = |file: &[&str]| terminal.run(&[&["billing", "report"][..], &month, file].concat());
    let early = report(&["--output", "xlsx", "--to", "january.xlsx"]);
    assert!(early.code == 1 && early.err.contains("only a closed report has files"), "{early:?}");
    terminal.json(&[&["billing", "close"][..], &month].concat());
    for file in [["--output", "xlsx", "--to", "january.xlsx"], ["--file", "xlsx", "--to", "same.xlsx"]] {
        let written = report(&file);
        assert!(written.code == 0 && written.out.is_empty(), "{written:?}");
    }
    let read = |name: &str| std::fs::read(terminal.folder.path().join(name)).expect("a workbook");
    assert!(read("january.xlsx").starts_with(b"PK") && read("january.xlsx") == read("same.xlsx"));
    let nowhere = report(&["--to", "january.xlsx"]);
    assert!(nowhere.code == 2 && nowhere.err.contains("--file csv, json, xlsx or pdf"), "{nowhere:?}");
}

/// Ctrl-C in the middle, or a little late: either way the next run accounts for each record once.
fn an_interrupted_import_goes_on(terminal: &Terminal) {
    use std::fmt::Write as _;
    const RECORDS: i64 = 12_000;
    let mut file = String::from("First_Name,Last_Name,City,State,Zipcode,Phone_Number,Perm_ID\n");
    for number in 0..RECORDS {
        writeln!(file, "Ada,Cole,Aurora,CO,80010,303{:03}{:04},P{number}", 200 + number % 700, number / 700)
            .expect("a string");
    }
    let path = terminal.folder.path().join("large.csv");
    std::fs::write(&path, file).expect("written");
    let arguments = ["import", "--source", "transunion", text(&path), "--output", "json"];
    let mut command = terminal.command(&arguments);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    wait_for_handler(&child);
    std::thread::sleep(Duration::from_millis(800));
    signal(&child, "INT");
    let first = Ended::of(child.wait_with_output().expect("it ends"));
    let second = terminal.run(&arguments).json();
    assert_eq!(second["records"], RECORDS, "{second}");
    let first = first.json();
    if first["state"] == "stopped" {
        assert_eq!(first["import_id"], second["import_id"], "it goes on, and does not begin again");
        assert_eq!((&second["accepted"], &second["duplicates"]), (&json!(RECORDS), &json!(0)), "{second}");
    } else {
        assert_eq!(
            (&first["accepted"], &second["duplicates"]),
            (&json!(RECORDS), &json!(RECORDS)),
            "{first} {second}"
        );
    }
}

fn doctor(terminal: &Terminal) {
    let findings = terminal.json(&["doctor"]);
    let findings = findings.as_array().expect("findings");
    let state = |name: &str| {
        findings.iter().find(|finding| finding["name"] == name).map(|finding| finding["state"].clone())
    };
    for name in [
        "configuration",
        "data folder",
        "tenants' databases",
        "secret key",
        "server",
        "login role",
        "migrations",
    ] {
        assert_eq!(state(name), Some(json!("ok")), "{name} of {findings:?}");
    }
    let key = terminal.folder.path().join("data/secret.key");
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("changed");
    let exposed = terminal.run(&["doctor"]);
    assert!(exposed.code == 1 && exposed.out.contains("chmod 600"), "{exposed:?}");
}
