//! Request for a certificate: an order, a proof for each name, and the result.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Identifier, NewAccount, NewOrder, Order, OrderStatus,
    RetryPolicy,
};
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use switchhook_http::server::{Certificate, Identity};
use switchhook_node::settings::AcmeSettings;

use super::folder::{Folder, RenewableCertificate};

/// Time limit for the authority to check the proofs, and to make the certificate.
const ORDER_TIMEOUT: Duration = Duration::from_secs(90);

/// Gets a certificate and stores it. Challenges are answered until [`Identity::forget_challenges`] is called.
pub(super) async fn certificate(
    settings: &AcmeSettings,
    folder: &Folder,
    identity: &Identity,
) -> Result<RenewableCertificate> {
    let account = account(settings, folder).await?;
    let names: Vec<_> = settings.names.iter().cloned().map(Identifier::Dns).collect();
    let order = account.new_order(&NewOrder::new(&names)).await;
    let mut order = order.context("the authority refused the order")?;
    answer_challenges(&mut order, identity).await?;
    let timeout = RetryPolicy::default().timeout(ORDER_TIMEOUT);
    match order.poll_ready(&timeout).await? {
        OrderStatus::Ready => {}
        status => bail!("{}", refused(&mut order, status).await),
    }
    let key = order
        .finalize()
        .await
        .context("the authority issued no certificate")?;
    let chain = order.poll_certificate(&timeout).await;
    folder.keep_certificate(chain.context("the certificate did not come")?, key)
}

/// The account of an earlier order, or a new one.
async fn account(settings: &AcmeSettings, folder: &Folder) -> Result<Account> {
    let builder = match &settings.root {
        Some(root) => Account::builder_with_root(root)
            .with_context(|| format!("acme-ca: {} cannot be used", root.display()))?,
        None => Account::builder()?,
    };
    let unreachable = || format!("the authority at {} cannot be reached", settings.directory);
    if let Some(known) = folder.account() {
        return builder.from_credentials(known).await.with_context(unreachable);
    }
    let contact: Vec<_> = settings
        .email
        .iter()
        .map(|email| format!("mailto:{email}"))
        .collect();
    let new = NewAccount {
        contact: &contact.iter().map(String::as_str).collect::<Vec<_>>(),
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    let made = builder.create(&new, settings.directory.clone(), None).await;
    let (account, credentials) = made.with_context(unreachable)?;
    folder.keep_account(credentials);
    Ok(account)
}

/// Answers the challenge of each name.
async fn answer_challenges(order: &mut Order, identity: &Identity) -> Result<()> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        match authorization.status {
            AuthorizationStatus::Valid => continue,
            AuthorizationStatus::Pending => {}
            status => bail!("the authorization is already {status:?}"),
        }
        let mut challenge = authorization
            .challenge(ChallengeType::TlsAlpn01)
            .context("the authority does not offer tls-alpn-01")?;
        let name = challenge.identifier().to_string();
        let certificate = challenge_certificate(&name, challenge.key_authorization().digest().as_ref())?;
        identity.answer_challenge(&name, certificate);
        challenge.set_ready().await?;
    }
    Ok(())
}

/// Certificate that answers a challenge, for the authority alone.
fn challenge_certificate(name: &str, digest: &[u8]) -> Result<Certificate> {
    let mut params = CertificateParams::new([name.to_owned()])?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let key = KeyPair::generate()?;
    let made = params.self_signed(&key)?;
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
    Certificate::of_challenge(made.der().clone(), key)
}

/// Reason for which there is no certificate, in the authority's words.
async fn refused(order: &mut Order, status: OrderStatus) -> String {
    let mut why = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(Ok(authorization)) = authorizations.next().await {
        let problems = authorization
            .challenges
            .iter()
            .filter_map(|challenge| challenge.error.as_ref());
        why.extend(problems.map(|problem| format!("{}: {problem}", authorization.identifier())));
    }
    if why.is_empty() {
        return format!("the order is {status:?}, without a reason");
    }
    why.join("; ")
}
