-- @materialize: true
-- The exported view report_refusal, partitioned by the day of created_at.
SELECT * FROM read_parquet('{{ .env.export_path }}/refusal/*/*.parquet', hive_partitioning = true)
