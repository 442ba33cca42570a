use serde_json::json;
use tenants::{AuditFilter, Error, NewAuditEntry};

use super::{Fixture, after};

fn entry(action: &str, subject: &str) -> NewAuditEntry {
    NewAuditEntry {
        actor: "operator".to_owned(),
        action: action.to_owned(),
        subject: subject.to_owned(),
        address: None,
        detail: json!({ "role": "agent" }),
    }
}

#[tokio::test]
async fn lines_are_appended_and_found_newest_first() {
    let fixture = Fixture::new().await;
    for (second, (action, subject)) in
        (0..).zip([("user.invited", "a"), ("user.disabled", "b"), ("destination.updated", "a")])
    {
        fixture.tenant.append_audit(entry(action, subject), after(second)).await.unwrap();
    }
    let found = async |filter: AuditFilter| {
        let entries = fixture.tenant.audit_entries(filter, 50).await.unwrap();
        entries.into_iter().map(|entry| entry.number).collect::<Vec<_>>()
    };
    assert_eq!(found(AuditFilter::default()).await, [3, 2, 1]);
    assert_eq!(found(AuditFilter { action: Some("user.".into()), ..AuditFilter::default() }).await, [2, 1]);
    assert_eq!(found(AuditFilter { subject: Some("a".into()), ..AuditFilter::default() }).await, [3, 1]);
    assert_eq!(found(AuditFilter { since: Some(after(1)), ..AuditFilter::default() }).await, [3, 2]);
    assert_eq!(found(AuditFilter { before: Some(2), ..AuditFilter::default() }).await, [1]);
    assert_eq!(found(AuditFilter { actor: Some("nobody".into()), ..AuditFilter::default() }).await, [0; 0]);
    let first = fixture.tenant.audit_entries(AuditFilter { before: Some(2), ..AuditFilter::default() }, 1);
    let first = first.await.unwrap().remove(0);
    assert_eq!((first.at, first.detail), (after(0), json!({ "role": "agent" })));

    let huge = NewAuditEntry { detail: json!("x".repeat(17_000)), ..entry("a", "b") };
    let refused = fixture.tenant.append_audit(huge, after(9)).await.unwrap_err();
    assert!(matches!(refused, Error::InvalidField { field: "detail", .. }));
    // Many at once: each has its place.
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let tenant = fixture.tenant.clone();
            tokio::spawn(async move { tenant.append_audit(entry("key.made", "k"), after(10)).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(found(AuditFilter::default()).await, (1..=23).rev().collect::<Vec<_>>());
    assert_eq!(fixture.tenant.verify_audit().await.unwrap(), None);
}

#[tokio::test]
async fn nobody_changes_a_line_unnoticed() {
    let fixture = Fixture::new().await;
    for number in 0..5 {
        fixture
            .tenant
            .append_audit(entry("user.disabled", &format!("s{number}")), after(number))
            .await
            .unwrap();
    }
    for sql in [
        "UPDATE audit_entry SET actor = 'x'",
        "DELETE FROM audit_entry",
        "REPLACE INTO audit_entry SELECT * FROM audit_entry",
    ] {
        // REPLACE fires no delete trigger by default; what it writes must be found by the hashes then.
        let refused = fixture.sql(sql).await;
        assert!(refused.is_err() || sql.starts_with("REPLACE"), "{sql}");
    }
    assert_eq!(fixture.tenant.verify_audit().await.unwrap(), None);
    // Somebody with the file and another program.
    fixture.sql("DROP TRIGGER audit_entry_is_not_changed").await.unwrap();
    fixture.sql("DROP TRIGGER audit_entry_is_not_removed").await.unwrap();
    for (sql, undo, broken) in [
        (
            "UPDATE audit_entry SET actor = 'x' WHERE number = ?1",
            "UPDATE audit_entry SET actor = 'operator' WHERE number = ?1",
            3,
        ),
        (
            "UPDATE audit_entry SET at = at + 1 WHERE number = ?1",
            "UPDATE audit_entry SET at = at - 1 WHERE number = ?1",
            1,
        ),
        ("DELETE FROM audit_entry WHERE number = ?1", "", 4),
    ] {
        fixture.sql(&sql.replace("?1", &broken.to_string())).await.unwrap();
        assert_eq!(fixture.tenant.verify_audit().await.unwrap(), Some(broken), "{sql}");
        if !undo.is_empty() {
            fixture.sql(&undo.replace("?1", &broken.to_string())).await.unwrap();
            assert_eq!(fixture.tenant.verify_audit().await.unwrap(), None);
        }
    }
}
