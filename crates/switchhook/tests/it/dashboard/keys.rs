//! The page of API keys: one is made, shown once, used and revoked.

use std::time::Duration;

use http::StatusCode;

use super::access::Visit;
use super::fixture::{ADMIN, Fixture};

#[tokio::test]
async fn a_key_is_shown_once_and_works_until_it_is_revoked() {
    let fixture = Fixture::new().await;
    let visit = Visit::signed_in(&fixture, ADMIN).await;
    let csrf = visit.csrf("/dashboard/keys/new").await;
    let form = format!("csrf={csrf}&name=crm&access=rights&rights=read&scopes=recordings_export&expires=90d");
    let made = visit.post("/dashboard/keys", &form, &[]).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text);
    let key = between(&made.text, "id=\"new-key\">", "<");
    assert!(key.starts_with("shk_"), "{key}");
    let list = visit.get("/dashboard/keys").await.text;
    assert!(
        list.contains("<strong>crm</strong>") && !list.contains(&key),
        "{list}"
    );

    let of_the_new = Visit::signed_in(&fixture, &key).await;
    assert_eq!(of_the_new.get("/dashboard/").await.status, StatusCode::OK);
    assert_eq!(
        of_the_new.get("/dashboard/keys").await.status,
        StatusCode::FORBIDDEN,
        "it is no admin's"
    );
    // The newest is the last.
    let (_, row) = list.rsplit_once("data-row=\"").expect("there are rows");
    let (id, _) = row.split_once('"').expect("it ends");
    let revoked = visit
        .post(
            &format!("/dashboard/keys/{id}/revoke"),
            &format!("csrf={csrf}"),
            &[],
        )
        .await;
    assert_eq!(revoked.location, "/dashboard/keys?flash=revoked");
    // A key that was found is remembered for at most a second.
    while of_the_new.get("/dashboard/").await.status == StatusCode::OK {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_is_told_why_in_the_form() {
    let fixture = Fixture::new().await;
    let visit = Visit::signed_in(&fixture, ADMIN).await;
    let csrf = visit.csrf("/dashboard/keys/new").await;
    for (fields, words) in [
        ("name=&access=admin", "name: write 1 to 200 characters"),
        ("name=crm&access=rights", "rights: tick at least one"),
        ("name=crm&access=rights&rights=everything", "rights: "),
        ("name=crm&access=admin&scopes=everything", "scopes: "),
        ("name=crm&access=admin&expires=soon", "expires: "),
    ] {
        let page = visit
            .post("/dashboard/keys", &format!("csrf={csrf}&{fields}"), &[])
            .await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{fields}");
        assert!(page.text.contains(words), "{fields}: {}", page.text);
    }
}

fn between(text: &str, before: &str, after: &str) -> String {
    let rest = text.split_once(before).expect("it is on the page").1;
    rest.split_once(after).expect("it ends").0.to_owned()
}
