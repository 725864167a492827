CREATE TABLE city (id INTEGER PRIMARY KEY, name TEXT NOT NULL, country TEXT, people INTEGER);
INSERT INTO city (name, country, people) VALUES
  ('Tokyo', 'JP', 37468000), ('Delhi', 'IN', 28514000), ('Shanghai', 'CN', 25582000), ('São Paulo', 'BR', 21650000),
  ('Mexico City', 'MX', 21581000), ('Cairo', 'EG', 20076000), ('Mumbai', 'IN', 19980000), ('Beijing', 'CN', 19618000),
  ('Dhaka', 'BD', 19578000), ('Osaka', 'JP', 19281000), ('Nowhere', NULL, NULL);
CREATE INDEX by_country ON city (country, people DESC);
SELECT name, people FROM city WHERE people > 20000000 ORDER BY people DESC;
SELECT country, count(*) AS n, sum(people) AS total, printf('%.3f', avg(people) / 1e6) AS mean
  FROM city GROUP BY country HAVING n > 1 ORDER BY total DESC;
WITH RECURSIVE fib(n, a, b) AS (SELECT 1, 0, 1 UNION ALL SELECT n + 1, b, a + b FROM fib WHERE n < 50)
  SELECT n, a FROM fib WHERE n % 10 = 0;
SELECT name, rank() OVER (PARTITION BY country ORDER BY people DESC) AS r FROM city WHERE country IN ('IN', 'CN', 'JP') ORDER BY 2, 1;
SELECT a.name || ' and ' || b.name AS pair FROM city a JOIN city b ON a.country = b.country AND a.id < b.id ORDER BY 1;
SELECT json_group_array(json_object('name', name, 'letters', length(name))) AS j FROM city WHERE name LIKE '%o';
SELECT upper(hex('wasm')) AS h, substr('transformer', 6, 4) AS s, quote(x'00ff') AS q, typeof(1.5) AS t, coalesce(NULL, 'x') AS c;
SELECT printf('%08.3f|%e|%d', 3.14159, 12345.678, 1 << 40) AS p, date(1700000000, 'unixepoch') AS d, 7 / 2, 7 % -3, round(2.5);
BEGIN;
DELETE FROM city WHERE country = 'IN';
SELECT count(*) AS during FROM city;
ROLLBACK;
SELECT count(*) AS after FROM city;
EXPLAIN QUERY PLAN SELECT * FROM city WHERE country = 'JP';
PRAGMA integrity_check;
