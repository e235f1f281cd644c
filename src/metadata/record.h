// A metadata record: one of the messages of __cluster_metadata, at the version at which it stands there; and how it is
// framed: frame version (always 1), type, version, each an unsigned varint, then the message.
// Source: org.apache.kafka.metadata.MetadataRecordSerde, AbstractApiMessageSerde.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "protocol/records/abort_transaction_record.h"
#include "protocol/records/access_control_entry_record.h"
#include "protocol/records/begin_transaction_record.h"
#include "protocol/records/broker_registration_change_record.h"
#include "protocol/records/clear_elr_record.h"
#include "protocol/records/client_quota_record.h"
#include "protocol/records/config_record.h"
#include "protocol/records/delegation_token_record.h"
#include "protocol/records/end_transaction_record.h"
#include "protocol/records/feature_level_record.h"
#include "protocol/records/fence_broker_record.h"
#include "protocol/records/no_op_record.h"
#include "protocol/records/partition_change_record.h"
#include "protocol/records/partition_record.h"
#include "protocol/records/producer_ids_record.h"
#include "protocol/records/register_broker_record.h"
#include "protocol/records/register_controller_record.h"
#include "protocol/records/remove_access_control_entry_record.h"
#include "protocol/records/remove_delegation_token_record.h"
#include "protocol/records/remove_topic_record.h"
#include "protocol/records/remove_user_scram_credential_record.h"
#include "protocol/records/topic_record.h"
#include "protocol/records/unfence_broker_record.h"
#include "protocol/records/unregister_broker_record.h"
#include "protocol/records/unregister_controller_record.h"
#include "protocol/records/user_scram_credential_record.h"
#include "protocol/records/zk_migration_state_record.h"

namespace klamm::metadata {

// In the order of their types.
using Message =
    std::variant<protocol::RegisterBrokerRecord, protocol::UnregisterBrokerRecord, protocol::TopicRecord,
                 protocol::PartitionRecord, protocol::ConfigRecord, protocol::PartitionChangeRecord,
                 protocol::FenceBrokerRecord, protocol::UnfenceBrokerRecord, protocol::RemoveTopicRecord,
                 protocol::DelegationTokenRecord, protocol::UserScramCredentialRecord, protocol::FeatureLevelRecord,
                 protocol::ClientQuotaRecord, protocol::ProducerIdsRecord, protocol::BrokerRegistrationChangeRecord,
                 protocol::AccessControlEntryRecord, protocol::RemoveAccessControlEntryRecord, protocol::NoOpRecord,
                 protocol::ZkMigrationStateRecord, protocol::RemoveUserScramCredentialRecord,
                 protocol::BeginTransactionRecord, protocol::EndTransactionRecord, protocol::AbortTransactionRecord,
                 protocol::RemoveDelegationTokenRecord, protocol::RegisterControllerRecord, protocol::ClearElrRecord,
                 protocol::UnregisterControllerRecord>;

struct Record {
  Message message;
  std::int16_t version = 0;

  bool operator==(const Record&) const = default;
};
using Records = std::vector<Record>;

// A record that cannot follow those before it: the log is broken, or it was written by a version that knows more.
class BadRecord : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// "PARTITION_RECORD", as Kafka's tools print the type.
std::string_view type_name(const Record& record);
std::int16_t type_of(const Record& record);
// {"type":"TOPIC_RECORD","version":0,"data":{...}}, as the dump tool prints a record.
std::string to_json(const Record& record);

// Appends the framed record. The message has no field that its version cannot carry.
void encode(const Record& record, ByteVector& to);
// Fails (corrupt_message, Kafka's text) on an unknown frame, type or version, on a cut message and on bytes after it.
Result<Record> decode(Bytes bytes);

}  // namespace klamm::metadata
