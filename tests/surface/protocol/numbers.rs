//! The numbers of the methods.

use crate::lapin;
use crate::lapin::protocol::AMQPClass;
use crate::lapin::types::Identifier;

macro_rules! numbers {
    ($names:ident; $($variant:ident $class:ident $method:ident: $class_id:literal $id:literal;)*) => {
        pub(crate) const $names: &[&str] = &[$(
            concat!("lapin::protocol::", stringify!($class), "::", stringify!($method), "::get_amqp_class_id"),
            concat!("lapin::protocol::", stringify!($class), "::", stringify!($method), "::get_amqp_method_id"),
        )*];

        #[test]
        fn methods_have_their_numbers() {
            $({
                use lapin::protocol::$class::{AMQPMethod, $method as Method};
                let class_id: fn(&Method) -> Identifier = Method::get_amqp_class_id;
                let id: fn(&Method) -> Identifier = Method::get_amqp_method_id;
                let method = Method::default();
                let name = concat!(stringify!($class), ".", stringify!($method));
                assert_eq!((class_id(&method), id(&method)), ($class_id, $id), "{name}");
                let any = AMQPClass::$variant(AMQPMethod::$method(method));
                let numbers = (any.get_amqp_class_id(), any.get_amqp_method_id());
                assert_eq!(numbers, ($class_id, $id), "{name}");
            })*
        }
    };
}

numbers! {
    NUMBERS;
    Basic basic Qos: 60 10;
    Basic basic QosOk: 60 11;
    Basic basic Consume: 60 20;
    Basic basic ConsumeOk: 60 21;
    Basic basic Cancel: 60 30;
    Basic basic CancelOk: 60 31;
    Basic basic Publish: 60 40;
    Basic basic Return: 60 50;
    Basic basic Deliver: 60 60;
    Basic basic Get: 60 70;
    Basic basic GetOk: 60 71;
    Basic basic GetEmpty: 60 72;
    Basic basic Ack: 60 80;
    Basic basic Reject: 60 90;
    Basic basic RecoverAsync: 60 100;
    Basic basic Recover: 60 110;
    Basic basic RecoverOk: 60 111;
    Basic basic Nack: 60 120;
    Connection connection Start: 10 10;
    Connection connection StartOk: 10 11;
    Connection connection Secure: 10 20;
    Connection connection SecureOk: 10 21;
    Connection connection Tune: 10 30;
    Connection connection TuneOk: 10 31;
    Connection connection Open: 10 40;
    Connection connection OpenOk: 10 41;
    Connection connection Close: 10 50;
    Connection connection CloseOk: 10 51;
    Connection connection Blocked: 10 60;
    Connection connection Unblocked: 10 61;
    Connection connection UpdateSecret: 10 70;
    Connection connection UpdateSecretOk: 10 71;
    Channel channel Open: 20 10;
    Channel channel OpenOk: 20 11;
    Channel channel Flow: 20 20;
    Channel channel FlowOk: 20 21;
    Channel channel Close: 20 40;
    Channel channel CloseOk: 20 41;
    Access access Request: 30 10;
    Access access RequestOk: 30 11;
    Exchange exchange Declare: 40 10;
    Exchange exchange DeclareOk: 40 11;
    Exchange exchange Delete: 40 20;
    Exchange exchange DeleteOk: 40 21;
    Exchange exchange Bind: 40 30;
    Exchange exchange BindOk: 40 31;
    Exchange exchange Unbind: 40 40;
    Exchange exchange UnbindOk: 40 51;
    Queue queue Declare: 50 10;
    Queue queue DeclareOk: 50 11;
    Queue queue Bind: 50 20;
    Queue queue BindOk: 50 21;
    Queue queue Purge: 50 30;
    Queue queue PurgeOk: 50 31;
    Queue queue Delete: 50 40;
    Queue queue DeleteOk: 50 41;
    Queue queue Unbind: 50 50;
    Queue queue UnbindOk: 50 51;
    Tx tx Select: 90 10;
    Tx tx SelectOk: 90 11;
    Tx tx Commit: 90 20;
    Tx tx CommitOk: 90 21;
    Tx tx Rollback: 90 30;
    Tx tx RollbackOk: 90 31;
    Confirm confirm Select: 85 10;
    Confirm confirm SelectOk: 85 11;
}

pub(crate) const NAMES: &[&[&str]] = &[NUMBERS];
