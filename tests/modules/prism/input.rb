# frozen_string_literal: true
require "set"

module Geometry
  Point = Struct.new(:x, :y) do
    def +(other) = Point.new(x + other.x, y + other.y)
    def to_s = "(#{x}, #{y})"
  end

  class Polygon
    include Enumerable
    attr_reader :points

    def initialize(*points, closed: true, **options, &block)
      @points = points.map { |p| p.is_a?(Point) ? p : Point.new(*p) }
      @closed = closed && !options[:open]
      instance_eval(&block) if block_given?
    end

    def area
      sum = 0
      points.each_with_index do |a, i|
        b = points[(i + 1) % points.size]
        sum += a.x * b.y - b.x * a.y
      end
      sum.abs / 2.0
    rescue NoMethodError => e
      warn "bad point: #{e.message}"
      nil
    ensure
      @done ||= true
    end
  end
end

result = case [1, [2, { name: "x", rest: 3r }]]
         in [Integer => a, [b, { name: /x+/i => name, **rest }]] if a < b then "#{name} #{rest}"
         else <<~TEXT
           heredoc with #{1 + 1}
             interpolation
         TEXT
         end
puts %w[a b c].each_slice(2).to_a.inspect, :"quoted symbol", ?c, 0x1f, 1_000e-3i, result&.length
until (line = gets).nil? or line =~ /^quit\s*$/ do print line.upcase end
p(->(x, y = 2) { x ** y }.curry[3], __FILE__, [*1..5, 6...])
