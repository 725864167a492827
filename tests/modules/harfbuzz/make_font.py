# Made the font in input.bin (the size of the font, the font, text in UTF-16), with fontTools.
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
names=['.notdef','space','a','f','i','o','V','A','f_i','acutecomb','a.alt']
fb=FontBuilder(1000,isTTF=True); fb.setupGlyphOrder(names)
fb.setupCharacterMap({32:'space',97:'a',102:'f',105:'i',111:'o',86:'V',65:'A',0x301:'acutecomb'})
def box(w,h):
    p=TTGlyphPen(None); p.moveTo((50,0)); p.lineTo((50,h)); p.lineTo((w-50,h)); p.lineTo((w-50,0)); p.closePath(); return p.glyph()
w={'.notdef':500,'space':250,'a':520,'f':300,'i':240,'o':560,'V':650,'A':660,'f_i':510,'acutecomb':0,'a.alt':530}
fb.setupGlyf({n:(TTGlyphPen(None).glyph() if n in('space','acutecomb') else box(w[n],500+7*len(n))) for n in names})
fb.setupHorizontalMetrics({n:(w[n],50) for n in names}); fb.setupHorizontalHeader(ascent=800,descent=-200)
fb.setupNameTable({'familyName':'Tiny','styleName':'Regular'}); fb.setupOS2(); fb.setupPost()
fb.addOpenTypeFeatures('''
languagesystem DFLT dflt; languagesystem latn dflt;
feature liga { sub f i by f_i; } liga;
feature calt { sub o a' by a.alt; } calt;
feature kern { pos A V -80; pos V A -75; pos [A V] o -20; } kern;
markClass acutecomb <anchor 0 500> @TOP;
feature mark { pos base a <anchor 260 520> mark @TOP; pos base o <anchor 280 540> mark @TOP; } mark;
''')
fb.save('tiny.ttf')
