//! Mail, to a real SMTP server on loopback.

use std::error::Error as _;

use service::mail::testing::MailServer;
use service::mail::{Error, Fault, Letter, Mailer, Settings};

fn mailer(settings: &Settings) -> Mailer {
    Mailer::new(settings).expect("a mailer")
}

fn letter(to: &str) -> Letter {
    Letter {
        to: to.to_owned(),
        subject: "3 deliveries failed – look".to_owned(),
        text: "Three deliveries failed.".to_owned(),
        html: Some("<p>Three deliveries failed.</p>".to_owned()),
    }
}

#[tokio::test]
async fn a_letter_arrives_with_both_of_its_forms() {
    let server = MailServer::start(None).await;
    let mailer = mailer(&server.settings());
    mailer.probe().await.expect("it answers");
    mailer.send(letter("ada@example.com")).await.expect("sent");
    let taken = server.taken();
    let [letter] = &taken[..] else { panic!("{taken:?}") };
    assert_eq!(
        (letter.from.as_str(), &letter.to[..]),
        ("baton@example.com", &["ada@example.com".to_owned()][..])
    );
    let text = &letter.text;
    for part in [
        "From: Baton <baton@example.com>",
        "To: ada@example.com",
        "multipart/alternative",
        "Message-ID:",
        "Date:",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(
        text.contains("Three deliveries failed.") && text.contains("<p>Three deliveries failed.</p>"),
        "{text}"
    );
    assert!(!text.contains('–'), "a subject outside of ASCII is encoded: {text}");
}

#[tokio::test]
async fn what_goes_wrong_is_told_apart() {
    let server = MailServer::start(Some(("baton", "correct horse"))).await;
    let settings = server.settings();
    let with = |user: &str, password: &str| Settings {
        credentials: Some((user.to_owned(), password.to_owned().into())),
        ..settings.clone()
    };
    let signed_in = mailer(&with("baton", "correct horse"));
    signed_in.send(letter("ada@example.com")).await.expect("sent");
    let refused = signed_in.send(letter("nobody@example.com")).await;
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    let wrong = mailer(&with("baton", "wrong")).send(letter("ada@example.com")).await;
    assert!(matches!(wrong, Err(Error::Refused(_))), "{wrong:?}");
    let closed = mailer(&Settings { port: 1, ..settings }).send(letter("ada@example.com")).await;
    assert!(closed.as_ref().is_err_and(Error::is_passing), "{closed:?}");
    let forged = signed_in.send(letter("ada@example.com\r\nbcc: eve@example.com")).await;
    assert!(matches!(forged, Err(Error::Address("to"))), "{forged:?}");
    let off = mailer(&Settings::default()).send(letter("ada@example.com")).await;
    assert!(matches!(off, Err(Error::NotSetUp)), "{off:?}");
    assert_eq!(server.taken().len(), 1);
    assert!(!format!("{:?}", letter("ada@example.com")).contains("ada"));
}

/// A server's reply may quote whom the message was for, and what an error comes of is logged.
#[tokio::test]
async fn an_error_tells_the_code_and_none_of_the_servers_words() {
    let server = MailServer::start(None).await;
    let mailer = mailer(&server.settings());
    for (to, fault, passing) in
        [("nobody@example.com", Fault::Code(550), false), ("later@example.com", Fault::Code(421), true)]
    {
        let error = mailer.send(letter(to)).await.expect_err("not taken");
        assert_eq!(error.is_passing(), passing, "{error:?}");
        assert_eq!(
            error.source().and_then(|source| source.downcast_ref::<Fault>()),
            Some(&fault),
            "{error:?}"
        );
        let error = service::Error::from(error);
        let mut said = format!("{error:?} {error}");
        let mut cause = error.source();
        while let Some(error) = cause {
            said = format!("{said}: {error}");
            cause = error.source();
        }
        assert!(!said.contains("example.com") && !said.contains("mailbox"), "{said}");
    }
}

/// A server without STARTTLS is not trusted with mail when privacy is asked for.
#[tokio::test]
async fn privacy_is_all_or_nothing() {
    let server = MailServer::start(None).await;
    let settings = Settings { encryption: service::mail::Encryption::StartTls, ..server.settings() };
    assert!(mailer(&settings).send(letter("ada@example.com")).await.is_err());
    assert!(server.taken().is_empty());
}
