//! Teams: people who work together, and the sources whose leads they work with.

use chrono::{DateTime, Utc};
use domain::ids::{SourceId, TeamId, UserId};
use libsql::params;

use crate::database::{Row, Transaction, select};
use crate::error::Fault;
use crate::row::Columns;
use crate::user::{checked_name, millisecond};
use crate::{Error, Tenant};

/// The most teams of a tenant.
pub const TEAMS_MAX: u32 = 200;
/// The most members, and the most sources, of one team.
pub const TEAM_MEMBERS_MAX: usize = 500;

/// A team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    /// Its id.
    pub id: TeamId,
    /// Its name, unique in the tenant in any case of letters.
    pub name: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Who is in it, by id.
    pub members: Vec<UserId>,
    /// Whose leads it works with, by id.
    pub sources: Vec<SourceId>,
}

/// What of a team changes; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct TeamChange {
    /// Another name.
    pub name: Option<String>,
    /// Exactly these members.
    pub members: Option<Vec<UserId>>,
    /// Exactly these sources.
    pub sources: Option<Vec<SourceId>>,
}

impl Tenant {
    /// Makes a team. Fails with [`Error::NameTaken`] when another has the name.
    pub async fn create_team(&self, name: &str, now: DateTime<Utc>) -> Result<Team, Error> {
        let (id, created_at) = (TeamId(self.new_id(now)), millisecond(now));
        let team = Team { id, name: checked_name(name)?, created_at, members: vec![], sources: vec![] };
        let row = team.clone();
        self.write("make a team", async move |transaction| {
            let sql = "INSERT INTO team (id, name, created_at) SELECT ?1, ?2, ?3 \
                       WHERE (SELECT count(*) FROM team) < ?4 ON CONFLICT (name) DO NOTHING";
            let values =
                params![row.id.to_string(), row.name.as_str(), row.created_at.timestamp_millis(), TEAMS_MAX];
            if transaction.execute(sql, values).await? == 1 {
                return Ok(());
            }
            let sql = "SELECT count(*) FROM team WHERE name = ?1";
            let taken = select(transaction, sql, [row.name], |row| Ok(row.get::<i64>(0)?)).await?;
            let taken = taken.first().is_some_and(|count| *count > 0);
            Err(if taken { Error::NameTaken } else { Error::TooMany { what: "teams", most: TEAMS_MAX } }
                .into())
        })
        .await?;
        Ok(team)
    }

    /// Every team, by name.
    pub async fn teams(&self) -> Result<Vec<Team>, Error> {
        let sql = "SELECT id, name, created_at FROM team ORDER BY name, id";
        let mut teams = self.read("list teams", sql, (), read_team).await?;
        let sql = "SELECT team_id, user_id FROM team_member ORDER BY team_id, user_id";
        let members = self.read("list members", sql, (), read_pair::<UserId>).await?;
        let sql = "SELECT team_id, source_id FROM team_source ORDER BY team_id, source_id";
        let sources = self.read("list a team's sources", sql, (), read_pair::<SourceId>).await?;
        for team in &mut teams {
            team.members = members.iter().filter(|(id, _)| *id == team.id).map(|(_, user)| *user).collect();
            team.sources =
                sources.iter().filter(|(id, _)| *id == team.id).map(|(_, source)| *source).collect();
        }
        Ok(teams)
    }

    /// Changes a team, all of it or nothing.
    pub async fn change_team(&self, id: TeamId, change: TeamChange, now: DateTime<Utc>) -> Result<(), Error> {
        let name = change.name.as_deref().map(checked_name).transpose()?;
        let lists = [change.members.as_ref().map(Vec::len), change.sources.as_ref().map(Vec::len)];
        if lists.into_iter().flatten().any(|length| length > TEAM_MEMBERS_MAX) {
            return Err(Error::InvalidField {
                field: "members",
                must: "and sources must be at most 500 each",
            });
        }
        self.write("change a team", async move |transaction| {
            let sql = "UPDATE OR IGNORE team SET name = coalesce(?2, name) WHERE id = ?1";
            if transaction.execute(sql, params![id.to_string(), name]).await? == 0 {
                let sql = "SELECT count(*) FROM team WHERE id = ?1";
                let known = select(transaction, sql, [id.to_string()], |row| Ok(row.get::<i64>(0)?)).await?;
                let known = known.first().is_some_and(|count| *count > 0);
                return Err(if known { Error::NameTaken } else { Error::TeamNotFound { team: id } }.into());
            }
            if let Some(members) = change.members {
                replace_members(transaction, id, &members, now).await?;
            }
            if let Some(sources) = change.sources {
                transaction.execute("DELETE FROM team_source WHERE team_id = ?1", [id.to_string()]).await?;
                for source in sources {
                    let sql = "INSERT OR IGNORE INTO team_source (team_id, source_id) VALUES (?1, ?2)";
                    transaction.execute(sql, params![id.to_string(), source.to_string()]).await?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Removes a team; its people stay.
    pub async fn remove_team(&self, id: TeamId) -> Result<(), Error> {
        self.write("remove a team", async move |transaction| {
            let removed = transaction.execute("DELETE FROM team WHERE id = ?1", [id.to_string()]).await?;
            if removed == 1 { Ok(()) } else { Err(Error::TeamNotFound { team: id }.into()) }
        })
        .await
    }

    /// The sources whose leads the teams of that user work with.
    pub async fn sources_of(&self, user: UserId) -> Result<Vec<SourceId>, Error> {
        let sql = "SELECT DISTINCT team_source.source_id FROM team_member \
                   JOIN team_source ON team_source.team_id = team_member.team_id \
                   WHERE team_member.user_id = ?1 ORDER BY 1";
        let decode = |row: &Row| Columns::of("team_source", row).parsed(0, "source_id");
        self.read("read the sources of a user's teams", sql, [user.to_string()], decode).await
    }
}

async fn replace_members(
    transaction: &Transaction,
    team: TeamId,
    members: &[UserId],
    now: DateTime<Utc>,
) -> Result<(), Fault> {
    let sql = "SELECT user_id FROM team_member WHERE team_id = ?1";
    let decode = |row: &Row| Columns::of("team_member", row).parsed::<UserId>(0, "user_id");
    let known = select(transaction, sql, [team.to_string()], decode).await?;
    for gone in known.iter().filter(|user| !members.contains(user)) {
        let sql = "DELETE FROM team_member WHERE team_id = ?1 AND user_id = ?2";
        transaction.execute(sql, params![team.to_string(), gone.to_string()]).await?;
    }
    for user in members {
        let sql = "INSERT OR IGNORE INTO team_member (team_id, user_id, joined_at) \
                   SELECT ?1, id, ?3 FROM user WHERE id = ?2";
        let values = params![team.to_string(), user.to_string(), now.timestamp_millis()];
        let added = transaction.execute(sql, values).await?;
        let sql = "SELECT count(*) FROM user WHERE id = ?1";
        let known = select(transaction, sql, [user.to_string()], |row| Ok(row.get::<i64>(0)?)).await?;
        if added == 0 && known.first() == Some(&0) {
            return Err(Error::UserNotFound { user: *user }.into());
        }
    }
    Ok(())
}

fn read_team(row: &Row) -> Result<Team, Fault> {
    let columns = Columns::of("team", row);
    Ok(Team {
        id: columns.parsed(0, "id")?,
        name: columns.text(1, "name")?.to_owned(),
        created_at: columns.time(2, "created_at")?,
        members: vec![],
        sources: vec![],
    })
}

fn read_pair<T: std::str::FromStr>(row: &Row) -> Result<(TeamId, T), Fault> {
    let columns = Columns::of("team", row);
    Ok((columns.parsed(0, "team_id")?, columns.parsed(1, "member or source")?))
}
