#!/usr/bin/env bash
# Runs one of Kafka's own command-line tools: tool.sh NAME ARGUMENTS...
#   tool.sh topics --bootstrap-server ADDRESS --create --topic lines --partitions 4
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
case ${1:-} in
  topics) class=org.apache.kafka.tools.TopicCommand ;;
  configs) class=kafka.admin.ConfigCommand ;;
  groups) class=org.apache.kafka.tools.consumer.group.ConsumerGroupCommand ;;
  offsets) class=org.apache.kafka.tools.GetOffsetShell ;;
  transactions) class=org.apache.kafka.tools.TransactionsCommand ;;
  delete-records) class=org.apache.kafka.tools.DeleteRecordsCommand ;;
  dump-log) class=kafka.tools.DumpLogSegments ;;
  *) echo "usage: tool.sh topics|configs|groups|offsets|transactions|delete-records|dump-log ARGUMENTS..." >&2; exit 2 ;;
esac
shift
home=$("$here/fetch.sh")
exec java -XX:TieredStopAtLevel=1 -Dlog4j2.configurationFile="$here/log4j2.properties" -cp "$home/lib/*" "$class" "$@"
