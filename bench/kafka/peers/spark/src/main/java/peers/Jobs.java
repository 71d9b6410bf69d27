package peers;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.Optional;
import org.apache.spark.streaming.Durations;
import org.apache.spark.streaming.State;
import org.apache.spark.streaming.StateSpec;
import org.apache.spark.streaming.api.java.JavaDStream;
import org.apache.spark.streaming.api.java.JavaInputDStream;
import org.apache.spark.streaming.api.java.JavaStreamingContext;
import org.apache.spark.streaming.kafka010.ConsumerStrategies;
import org.apache.spark.streaming.kafka010.HasOffsetRanges;
import org.apache.spark.streaming.kafka010.KafkaUtils;
import org.apache.spark.streaming.kafka010.LocationStrategies;
import org.apache.spark.streaming.kafka010.OffsetRange;
import scala.Tuple2;

/**
 * Usage: Jobs BOOTSTRAP INPUT OUTPUT CHECKPOINTS, where INPUT is lines or text. Reads what is there in batches of one second and at
 * most two million records, writes changed counts to OUTPUT, and ends.
 */
public final class Jobs {
  private static final int MOST_PER_PARTITION_AND_SECOND = 1_000_000;
  // Static, since Spark's checkpoints hold what its functions capture.
  private static final CountDownLatch READ = new CountDownLatch(1);
  private static Map<TopicPartition, Long> ends;
  private static KafkaProducer<String, String> producer;

  private Jobs() {}

  public static void main(String[] arguments) throws Exception {
    SparkConf configuration = new SparkConf()
        .setMaster("local[1]")
        .setAppName(arguments[1])
        .set("spark.ui.enabled", "false")
        .set("spark.default.parallelism", "1")
        .set("spark.serializer", "org.apache.spark.serializer.KryoSerializer")
        .set("spark.streaming.kafka.maxRatePerPartition", Integer.toString(MOST_PER_PARTITION_AND_SECOND));
    try (JavaStreamingContext context = new JavaStreamingContext(configuration, Durations.seconds(1))) {
      context.sparkContext().setLogLevel("ERROR");
      context.checkpoint(arguments[3]);
      ends = ends(arguments[0], arguments[1]);
      JavaInputDStream<ConsumerRecord<String, String>> input = KafkaUtils.createDirectStream(
          context,
          LocationStrategies.PreferConsistent(),
          ConsumerStrategies.Assign(new ArrayList<>(ends.keySet()), consumer(arguments[0])));
      counts(input, arguments[1]).foreachRDD(batch -> batch.foreachPartition(rows -> {
        while (rows.hasNext()) {
          producer(arguments[0]).send(new ProducerRecord<>(arguments[2], rows.next()));
        }
        producer(arguments[0]).flush();
      }));
      // Registered last, so that it runs when the batch before it has been written.
      input.foreachRDD(batch -> {
        OffsetRange[] ranges = ((HasOffsetRanges) batch.rdd()).offsetRanges();
        if (Arrays.stream(ranges).allMatch(range -> range.untilOffset() >= ends.get(range.topicPartition()))) {
          READ.countDown();
        }
      });
      context.start();
      READ.await();
      context.stop(true, true);
    }
  }

  private static JavaDStream<String> counts(JavaInputDStream<ConsumerRecord<String, String>> input, String topic) {
    JavaDStream<String> lines = input.map(record -> {
      Meter.record();
      return record.value();
    });
    JavaDStream<String> words =
        topic.equals("text") ? lines.flatMap(line -> Arrays.asList(line.split(" ")).iterator()) : lines;
    return words
        .mapToPair(word -> new Tuple2<>(word, 1L))
        .reduceByKey(Long::sum)
        .mapWithState(StateSpec.function(Jobs::add).numPartitions(1));
  }

  private static String add(String word, Optional<Long> more, State<Long> state) {
    long count = more.orElse(0L) + (state.exists() ? state.get() : 0L);
    state.update(count);
    return "{\"word\":\"" + word + "\",\"count\":" + count + "}";
  }

  private static synchronized KafkaProducer<String, String> producer(String bootstrap) {
    if (producer == null) {
      Properties properties = new Properties();
      properties.put("bootstrap.servers", bootstrap);
      producer = new KafkaProducer<>(properties, new StringSerializer(), new StringSerializer());
    }
    return producer;
  }

  private static Map<String, Object> consumer(String bootstrap) {
    Map<String, Object> settings = new HashMap<>();
    settings.put("bootstrap.servers", bootstrap);
    settings.put("group.id", "spark-jobs");
    settings.put("auto.offset.reset", "earliest");
    settings.put("enable.auto.commit", false);
    settings.put("max.poll.records", 10_000);
    settings.put("key.deserializer", StringDeserializer.class);
    settings.put("value.deserializer", StringDeserializer.class);
    return settings;
  }

  private static Map<TopicPartition, Long> ends(String bootstrap, String topic) {
    try (KafkaConsumer<String, String> reader = new KafkaConsumer<>(consumer(bootstrap))) {
      List<TopicPartition> partitions = new ArrayList<>();
      reader.partitionsFor(topic).forEach(found -> partitions.add(new TopicPartition(topic, found.partition())));
      return reader.endOffsets(partitions);
    }
  }
}
