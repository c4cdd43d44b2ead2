//! What a channel has declared, to be declared again on a connection that was made anew.

use crate::translate::{Method, Reply};
use crate::types::ShortString;

/// The names that a broker makes begin like this, and are refused to clients.
const MADE_BY_BROKER: &str = "amq.";

/// The declarations that count, in the order in which they were made.
#[derive(Debug, Default)]
pub(crate) struct Topology {
    methods: Vec<Method>,
    /// What an empty name of a queue stands for.
    last_queue: ShortString,
}

impl Topology {
    /// A method has succeeded.
    pub(crate) fn note(&mut self, mut method: Method, reply: &Reply) {
        self.name_queue(&mut method, reply);
        match &mut method {
            Method::QueueDeclare(declare) if !declare.passive => {
                declare.nowait = false;
                let name = declare.queue.clone();
                let again = |known: &Method| matches!(known, Method::QueueDeclare(known) if known.queue == name);
                self.replace(again, method);
            }
            Method::ExchangeDeclare(declare) if !declare.passive => {
                declare.nowait = false;
                let name = declare.exchange.clone();
                let again = |known: &Method| matches!(known, Method::ExchangeDeclare(known) if known.exchange == name);
                self.replace(again, method);
            }
            Method::QueueBind(bind) => {
                bind.nowait = false;
                self.replace(|_| false, method);
            }
            Method::ExchangeBind(bind) => {
                bind.nowait = false;
                self.replace(|_| false, method);
            }
            Method::QueueUnbind(bind) => {
                bind.nowait = false;
                let bound = Method::QueueBind(bind.clone());
                self.methods.retain(|known| *known != bound);
            }
            Method::ExchangeUnbind(bind) => {
                bind.nowait = false;
                let bound = Method::ExchangeBind(bind.clone());
                self.methods.retain(|known| *known != bound);
            }
            Method::QueueDelete { queue, .. } => {
                let queue = queue.clone();
                self.methods.retain(|known| queue_of(known) != Some(&queue));
            }
            Method::ExchangeDelete { exchange, .. } => {
                let exchange = exchange.clone();
                self.methods.retain(|known| !names_exchange(known, &exchange));
            }
            _ => {}
        }
    }

    /// What is to be sent again, by its place in the order.
    pub(crate) fn method(&self, place: usize) -> Option<Method> {
        self.methods.get(place).cloned()
    }

    /// A queue whose name the broker made has another name now.
    pub(crate) fn rename(&mut self, old: &ShortString, new: &ShortString) {
        self.methods.iter_mut().for_each(|method| rename(method, old, new));
        if self.last_queue == *old {
            self.last_queue = new.clone();
        }
    }

    /// Writes the name of a queue where an empty one stands for it.
    pub(crate) fn name_queue(&mut self, method: &mut Method, reply: &Reply) {
        if let (Method::QueueDeclare(declare), Reply::Declared { queue, .. }) =
            (&mut *method, reply)
        {
            declare.queue = queue.clone();
        }
        if let Method::QueueDeclare(declare) = method {
            self.last_queue = declare.queue.clone();
        }
        rename(method, &ShortString::default(), &self.last_queue);
    }

    /// Puts a method in the place of one that it takes the place of, or last; once.
    fn replace(&mut self, replaces: impl Fn(&Method) -> bool, method: Method) {
        match self.methods.iter_mut().find(|known| **known == method || replaces(known)) {
            Some(known) => *known = method,
            None => self.methods.push(method),
        }
    }
}

/// A declaration as it is sent again: a queue whose name the broker made asks for a new one.
pub(crate) fn again(method: &Method) -> (Method, Option<ShortString>) {
    let mut method = method.clone();
    let mut made = None;
    if let Method::QueueDeclare(declare) = &mut method
        && declare.queue.as_str().starts_with(MADE_BY_BROKER)
    {
        made = Some(std::mem::take(&mut declare.queue));
    }
    (method, made)
}

/// Gives a queue another name in a method that names it.
pub(crate) fn rename(method: &mut Method, old: &ShortString, new: &ShortString) {
    let name = match method {
        Method::QueueDeclare(declare) => &mut declare.queue,
        Method::QueueBind(bind) | Method::QueueUnbind(bind) => &mut bind.queue,
        Method::BasicConsume(consume) => &mut consume.queue,
        Method::QueueDelete { queue, .. } => queue,
        _ => return,
    };
    if name == old {
        *name = new.clone();
    }
}

fn queue_of(method: &Method) -> Option<&ShortString> {
    match method {
        Method::QueueDeclare(declare) => Some(&declare.queue),
        Method::QueueBind(bind) => Some(&bind.queue),
        _ => None,
    }
}

fn names_exchange(method: &Method, exchange: &ShortString) -> bool {
    match method {
        Method::ExchangeDeclare(declare) => declare.exchange == *exchange,
        Method::QueueBind(bind) => bind.exchange == *exchange,
        Method::ExchangeBind(bind) => bind.source == *exchange || bind.destination == *exchange,
        _ => false,
    }
}

/// Whether a method is one to note.
pub(crate) fn counts(method: &Method) -> bool {
    matches!(
        method,
        Method::QueueDeclare(_)
            | Method::ExchangeDeclare(_)
            | Method::QueueBind(_)
            | Method::ExchangeBind(_)
            | Method::QueueUnbind(_)
            | Method::ExchangeUnbind(_)
            | Method::QueueDelete { .. }
            | Method::ExchangeDelete { .. }
            | Method::BasicConsume(_)
    )
}
