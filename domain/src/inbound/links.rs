//! Whose a lead is at the service, and in which campaigns it is there, as the service writes it.

use serde_json::Value;

use super::text;

/// Campaigns of one lead at most.
const CAMPAIGNS_MAX: usize = 50;

/// What a record says of its user and its campaigns. None: it does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    /// Whose it is; some none: nobody's.
    pub user: Option<Option<Named>>,
    /// In which campaigns it is.
    pub campaigns: Option<Vec<Named>>,
}

/// A user or campaign, by whatever the service names it with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Named {
    /// The service's id.
    pub id: Option<String>,
    /// Its name, or a user's e-mail.
    pub name: Option<String>,
}

/// `assigned_to`: an id, a name, an e-mail, or an object with them; `campaigns`: `{id: name}`, or a list of ids or objects.
pub(super) fn read(record: &Value) -> Links {
    let user = record.get("assigned_to").or_else(|| record.get("assigned_user")).map(named);
    let campaigns = match record.get("campaigns") {
        None => None,
        Some(Value::Object(campaigns)) => Some(
            campaigns
                .iter()
                .take(CAMPAIGNS_MAX)
                .map(|(id, name)| Named { id: Some(id.clone()), name: name.as_str().map(str::to_owned) })
                .collect(),
        ),
        Some(Value::Array(campaigns)) => {
            Some(campaigns.iter().take(CAMPAIGNS_MAX).filter_map(named).collect())
        }
        Some(_) => Some(Vec::new()),
    };
    Links { user, campaigns }
}

/// The id of a service's record and whose it is; none when the record says either not.
pub fn owner(record: &Value) -> Option<(String, Option<Named>)> {
    Some((text(record, "id")?, read(record).user?))
}

fn named(value: &Value) -> Option<Named> {
    match value {
        Value::Number(id) => Some(Named { id: Some(id.to_string()), name: None }),
        Value::String(word) => {
            let word = word.trim().chars().take(320).collect::<String>();
            if word.is_empty() {
                return None;
            }
            let digits = word.bytes().all(|byte| byte.is_ascii_digit());
            Some(if digits {
                Named { id: Some(word), name: None }
            } else {
                Named { id: None, name: Some(word) }
            })
        }
        Value::Object(_) => {
            let id = text(value, "id");
            let name = text(value, "email").or_else(|| text(value, "name"));
            (id.is_some() || name.is_some()).then_some(Named { id, name })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn users_and_campaigns_come_in_several_shapes() {
        let named = |id: Option<&str>, name: Option<&str>| Named {
            id: id.map(str::to_owned),
            name: name.map(str::to_owned),
        };
        assert_eq!(read(&json!({})), Links::default(), "a record that says nothing changes nothing");
        let links = read(&json!({"assigned_to": null, "campaigns": []}));
        assert_eq!(links, Links { user: Some(None), campaigns: Some(vec![]) });
        let user = |value: Value| read(&json!({ "assigned_to": value })).user.flatten();
        assert_eq!(user(json!(7)), Some(named(Some("7"), None)));
        let ours = owner(&json!({"id": 12, "assigned_to": 7}));
        assert_eq!(ours, Some(("12".to_owned(), Some(named(Some("7"), None)))));
        assert_eq!(owner(&json!({"id": "12", "assigned_to": null})), Some(("12".to_owned(), None)));
        assert_eq!((owner(&json!({"id": 12})), owner(&json!({"assigned_to": 7}))), (None, None));
        assert_eq!(user(json!("7")), Some(named(Some("7"), None)));
        assert_eq!(user(json!("Ada Cole")), Some(named(None, Some("Ada Cole"))));
        assert_eq!(
            user(json!({"id": 7, "name": "Ada", "email": "ada@example.com"})),
            Some(named(Some("7"), Some("ada@example.com")))
        );
        let campaigns = |value: Value| read(&json!({ "campaigns": value })).campaigns;
        assert_eq!(campaigns(json!({"c1": "Spring"})), Some(vec![named(Some("c1"), Some("Spring"))]));
        assert_eq!(
            campaigns(json!([1, {"id": "c2"}])),
            Some(vec![named(Some("1"), None), named(Some("c2"), None)])
        );
    }
}
