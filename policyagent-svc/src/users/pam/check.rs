//! The process of one check, in which PAM's modules run.
use super::SECONDS;
use super::message::{Answer, Asked};
use nix::sys::signal::Signal;
use pam_client2::{Context, ConversationHandler, ErrorCode, Flag};
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitCode, ExitStatus};
use zeroize::Zeroizing;

/// Reads a question from standard input and writes the answer to standard output.
pub(crate) fn check(service: &str) -> ExitCode {
    let answered = || -> io::Result<()> {
        // From its default action, however a module takes it: the time is over, and so is the process.
        nix::unistd::alarm::set(SECONDS);
        let Some(question) = Asked::read(&mut io::stdin().lock())? else { return Ok(()) };
        // A module's own children must have neither.
        let mut output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let nothing = File::options().read(true).write(true).open("/dev/null")?;
        nix::unistd::dup2_stdin(&nothing)?;
        nix::unistd::dup2_stdout(&nothing)?;
        Answer { number: question.number, result: authenticate(service, &question) }.write(&mut output)
    };
    if answered().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Why a check ended without an answer.
pub(super) fn ended(service: &str, status: ExitStatus) -> String {
    if status.signal() == Some(Signal::SIGALRM as i32) {
        format!("PAM service {service:?} has not answered within {SECONDS} s")
    } else {
        format!("the check by PAM service {service:?} ended with {status}")
    }
}

fn authenticate(service: &str, question: &Asked) -> Result<(), String> {
    let text = |octets: &[u8], what| {
        // PAM's are C's.
        let text = CString::new(octets).ok().filter(|text| text.to_str().is_ok());
        text.ok_or_else(|| format!("the {what} is no text that PAM can be given: it has a zero octet, or is not UTF-8"))
    };
    let user = text(&question.user, "user's name")?;
    let name = String::from_utf8_lossy(&question.user).into_owned();
    let password = text(&question.password, "password")?;
    let failed = |step: &str, error: &dyn std::fmt::Display, said: &[String]| {
        let said: String = said.iter().map(|line| format!("; it says: {line}")).collect();
        format!("PAM service {service:?} refuses {step}: {error}{said}")
    };
    let conversation = Conversation { user, password: Zeroizing::new(password.into_bytes()), said: Vec::new() };
    let mut context =
        Context::new(service, Some(&name), conversation).map_err(|error| failed("to begin", &error, &[]))?;
    context.set_rhost(Some(&question.peer)).map_err(|error| failed("the peer's address", &error, &[]))?;
    for (step, result) in [
        ("the user or the password", context.authenticate(Flag::DISALLOW_NULL_AUTHTOK)),
        ("the account", context.acct_mgmt(Flag::DISALLOW_NULL_AUTHTOK)),
    ] {
        result.map_err(|error| failed(step, &error, &context.conversation().said))?;
    }
    Ok(())
}

/// Answers the modules' questions.
struct Conversation {
    user: CString,
    password: Zeroizing<Vec<u8>>,
    said: Vec<String>,
}

impl ConversationHandler for Conversation {
    fn prompt_echo_on(&mut self, _: &CStr) -> Result<CString, ErrorCode> {
        Ok(self.user.clone())
    }

    fn prompt_echo_off(&mut self, _: &CStr) -> Result<CString, ErrorCode> {
        CString::new(self.password.as_slice()).map_err(|_| ErrorCode::CONV_ERR)
    }

    fn text_info(&mut self, message: &CStr) {
        self.said.push(message.to_string_lossy().into_owned());
    }

    fn error_msg(&mut self, message: &CStr) {
        self.said.push(message.to_string_lossy().into_owned());
    }
}
