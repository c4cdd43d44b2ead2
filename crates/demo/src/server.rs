//! What `--uri` of the programs names: a RabbitMQ server in the place of the embedded broker.

/// Reads the value of `--uri`.
///
/// # Errors
///
/// It is no URI of a server, or needs TLS, which this program does not have; or the program was built without the
/// feature `rabbitmq`: the text says how to build it.
#[cfg(feature = "rabbitmq")]
pub fn uri(text: &str) -> Result<String, String> {
    use lapin::uri::{AMQPScheme, AMQPUri};

    let uri: AMQPUri = text.parse()?;
    if uri.scheme == AMQPScheme::AMQPS {
        return Err("this program has no TLS: it takes amqp://…".to_owned());
    }
    Ok(text.to_owned())
}

/// Reads the value of `--uri`: this program was built without the feature `rabbitmq`.
///
/// # Errors
///
/// Always: the text says how to build one that can.
#[cfg(not(feature = "rabbitmq"))]
pub fn uri(_text: &str) -> Result<String, String> {
    let program = std::env::args().next().unwrap_or_default();
    let program = std::path::Path::new(&program).file_stem().unwrap_or_default().to_string_lossy();
    Err(format!(
        "this program was built with its embedded broker alone. To run it on a RabbitMQ server, build it with the \
         feature `rabbitmq`: cargo run --features rabbitmq --bin {program} -- --uri …"
    ))
}
