//! Connections to the servers of a directory.
use super::ClientError;
use crate::directory::settings::{Bind, Server, Settings};
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapResult};
use native_tls::{Certificate, Identity, TlsConnector};
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Octets that a file of the settings may have at most.
const MAX_FILE: u64 = 1 << 20;

/// A connection on which this host has said who it is.
pub(crate) struct Client {
    pub(super) settings: Arc<Settings>,
    pub(super) ldap: Ldap,
    /// The server's URL.
    pub(crate) server: String,
    /// The domain's naming context.
    pub(crate) base: String,
}

impl Client {
    /// Connects to the first server that can be used.
    pub(crate) async fn connect(settings: &Arc<Settings>) -> Result<Self, ClientError> {
        let mut failures = Vec::new();
        for server in &settings.servers {
            match Self::connect_to(settings, server).await {
                Ok(client) => return Ok(client),
                // What is wrong with this host's own files is wrong for each server.
                Err(error @ ClientError::File { .. }) => return Err(error),
                Err(error) => failures.push(error.to_string()),
            }
        }
        Err(ClientError::NoServer(failures))
    }

    async fn connect_to(settings: &Arc<Settings>, server: &Server) -> Result<Self, ClientError> {
        let ldap = open(settings, server).await?;
        let mut client = Self { settings: Arc::clone(settings), ldap, server: server.url(), base: String::new() };
        client.base = match &settings.base {
            Some(base) => base.clone(),
            None => client.root("defaultNamingContext").await?,
        };
        Ok(client)
    }

    /// A naming context that the server names.
    pub(super) async fn root(&mut self, attribute: &'static str) -> Result<String, ClientError> {
        let root = self.object_at("", &[attribute, "namingContexts"]).await?;
        let root = root.as_ref();
        let first = || root.and_then(|root| root.text("namingContexts"));
        let found = root.and_then(|root| root.text(attribute)).or_else(first);
        found.ok_or_else(|| {
            ClientError::answer(
                self.server.clone(),
                format!("it names no {attribute}"),
                "a server that does, or base in [directory]",
            )
        })
    }

    /// The container of the policies.
    pub(crate) fn container(&self) -> String {
        let usual = || format!("CN=IP Security,CN=System,{}", self.base);
        self.settings.container.clone().unwrap_or_else(usual)
    }

    /// Ends the connection.
    pub(crate) async fn close(mut self) {
        let _ = self.ldap.with_timeout(self.settings.timeout).unbind().await;
    }
}

/// Connects, and says who this host is.
pub(super) async fn open(settings: &Settings, server: &Server) -> Result<Ldap, ClientError> {
    let url = server.url();
    let start_tls = settings.start_tls && !server.tls;
    let mut with = LdapConnSettings::new().set_conn_timeout(settings.timeout).set_starttls(start_tls);
    if server.tls || start_tls {
        with = with.set_connector(connector(settings)?);
    }
    let (connection, mut ldap) =
        LdapConnAsync::with_settings(with, &url).await.map_err(|error| ClientError::connection(&url, error))?;
    let driven = url.clone();
    tokio::spawn(async move {
        if let Err(error) = connection.drive().await {
            tracing::debug!(target: "policyagent::directory", "{driven}: {error}");
        }
    });
    ldap.with_timeout(settings.timeout);
    let what = format!("{url}: the bind");
    let bound = match &settings.bind {
        Bind::Anonymous => ldap.simple_bind("", "").await,
        Bind::Simple { dn, password_file } => {
            let password = Zeroizing::new(file(password_file)?);
            let password = std::str::from_utf8(&password).map_err(|error| file_error(password_file, error))?;
            ldap.simple_bind(dn, password.trim_end_matches(['\r', '\n'])).await
        }
        Bind::External { .. } => ldap.sasl_external_bind().await,
        #[cfg(feature = "kerberos")]
        Bind::Kerberos => ldap.sasl_gssapi_bind(&server.host).await,
        #[cfg(not(feature = "kerberos"))]
        Bind::Kerberos => return Err(ClientError::connection(what, "this program was built without Kerberos")),
    };
    checked(bound, &what)?;
    Ok(ldap)
}

/// What an operation came to: refused or not.
pub(super) fn checked(result: ldap3::result::Result<LdapResult>, what: &str) -> Result<(), ClientError> {
    match result {
        Ok(result) if result.rc == 0 => Ok(()),
        Ok(result) => Err(ClientError::Refused { what: what.to_owned(), code: result.rc, text: result.text }),
        Err(error) => Err(ClientError::connection(what, error)),
    }
}

fn connector(settings: &Settings) -> Result<TlsConnector, ClientError> {
    let mut builder = TlsConnector::builder();
    if let Some(path) = &settings.ca {
        builder.disable_built_in_roots(true);
        let text = file(path)?;
        let all = Certificate::stack_from_pem(&text).map_err(|error| file_error(path, error))?;
        if all.is_empty() {
            return Err(file_error(path, "no certificate in it, allowed: certificates in PEM"));
        }
        for certificate in all {
            builder.add_root_certificate(certificate);
        }
    }
    if let Bind::External { certificate, private_key } = &settings.bind {
        let key = Zeroizing::new(file(private_key)?);
        let identity = Identity::from_pkcs8(&file(certificate)?, &key);
        builder.identity(identity.map_err(|error| file_error(private_key, error))?);
    }
    builder.build().map_err(|error| ClientError::connection("TLS", error))
}

fn file(path: &Path) -> Result<Vec<u8>, ClientError> {
    let length = std::fs::metadata(path).map_err(|error| file_error(path, error))?.len();
    if length > MAX_FILE {
        return Err(file_error(path, format!("{length} octets long, allowed: {MAX_FILE}")));
    }
    std::fs::read(path).map_err(|error| file_error(path, error))
}

fn file_error(path: &Path, error: impl ToString) -> ClientError {
    ClientError::File { path: path.to_owned(), error: error.to_string() }
}
