SELECT 'six times seven', 6 * 7, upper('ok');
